"""Words for yes and no in many languages.

The longer ones are what Excel writes for TRUE and FALSE.
"""

import unicodedata

YES = """
1 1.0 1,0 -1 true yes y active published on x ✓ ✔ ☑ ✅ t available enabled
ja j wahr aktiv richtig an veröffentlicht
oui vrai actif activé publié
sí si s verdadero activo publicado
sim verdadeiro ativo
sì vero attivo pubblicato
waar actief aan
sand sandt aktivt sant på aktiverad
kyllä k tosi totta aktiivinen
já satt virkt cert egia gwir
tak prawda aktywny opublikowany
ano áno pravda aktivní aktívny
igen igaz aktív
da adevărat adevarat activ
da istina aktivno aktivan točno tačno тачно точно
taip tiesa jā patiess patiesība jah jaa tõene
evet doğru aktif e
ναι ναί αληθησ αληθής ενεργό
да д истина активен активний активный вкл так істина
はい 有効 是 真 有 启用 啟用 예 네 참 נכון כן אמת نعم صحيح evt có vâng đúng ใช่ จริง
हाँ सही ya benar بله درست
"""
NO = """
0 0.0 0,0 false no n inactive draft archived unlisted off f unavailable disabled hidden
☐ ❌ ✗ ✘
nein falsch inaktiv aus entwurf archiviert
non faux inactif désactivé brouillon archivé
falso inactivo borrador archivado
não nao inativo rascunho
inattivo bozza
nee onwaar inactief uit concept
nej falsk falskt nei usann inaktivt av utkast
ei epätosi passiivinen ósatt fals gezurra anwir
nie fałsz falsz nieaktywny
ne nepravda neaktivní neaktívny
nem hamis inaktív
nu fals inactiv
neistina netočno netačno нетачно неточно neaktivno neaktivan
netiesa nē aplams väär
hayır hayir h yanlış yanlıs yanlis pasif
όχι οχι ψευδησ ψευδής ανενεργό
нет н ложь неактивен неактивный не лъжа невярно ні хибність неактивний выкл черновик
いいえ 無効 否 假 无 無 停用 禁用 아니요 아니오 거짓 לא שקר لا خطأ không sai ไม่ใช่ เท็จ
नहीं गलत tidak salah palsu خیر نادرست
"""


def plain(word: str) -> str:
    """Return `word` in lower case, with its accents in one Unicode form."""
    folded = unicodedata.normalize("NFKC", word).casefold()
    # Turkish İ becomes an i with a dot of its own.
    return unicodedata.normalize("NFC", folded).replace("i\u0307", "i")


FLAGS = {plain(word): True for word in YES.split()}
FLAGS |= {plain(word): False for word in NO.split()}
