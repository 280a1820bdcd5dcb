"""Files without a mark: read rightly or not at all, in every encoding people have."""

import pytest

from products.importing import encodings

FILES = {
    "de": "Gewürzmühle|Gießkanne grün|Teekännchen|Öllampe|Fußmatte|Schüssel weiß",
    "fr": "Crème brûlée|Théière émaillée|Tasse à thé|Plateau en chêne|Garçon|Noël",
    "es": "Lámpara de mesa|Jarrón pequeño|Almohadón de algodón|Sartén|Reloj español|"
    "Artículo número único",
    "pt": "Lâmpada de latão|Almofada de algodão|Xícara de chá|Pão de açúcar|Relógio",
    "sv": "Blåbärssylt|Kaffekopp, grön|Träskål med lock|Smörkniv|Örngott i linne",
    "da": "Rødgrød med fløde|Kaffekop på fod|Bærkurv|Smørkniv|Ærtesuppe",
    "pl": "Żółta łódź|Lampa stojąca|Świeca zapachowa|Łyżka drewniana|Ręcznik|Pościel",
    "cs": "Příliš žluťoučký kůň|Šálek na čaj|Dřevěná lžíce|Měděný džbán|Hrníček",
    "hu": "Árvíztűrő tükörfúrógép|Kézműves bögre|Üveg váza|Fűszertartó|Hűtőtáska",
    "ro": "Lampă de masă|Ceaşcă de ceai|Faţă de masă|Pâine coaptă în casă",
    "tr": "Türk kahvesi fincanı|Çay bardağı|Işıklı ayna|Ahşap kaşık|Yeşil gölgelik",
    "lt": "Stalinė lempa|Medinis šaukštas|Arbatinukas, žalias|Rankšluostis į vonią",
    "ru": "Лампа настольная «Маяк»|Чайник заварочный|Деревянная ложка|Ваза|Чехол",
    "uk": "Чашка для чаю|Лампа настільна, біла|Рушник їдальний|Деревяна ложка",
    "el": "Φλιτζάνι του καφέ|Ξύλινο κουτάλι|Επιτραπέζιο φωτιστικό|Βάζο γυάλινο, μπλε",
    "he": "מנורת שולחן|ספל קפה|כף עץ|מגבת כותנה|אגרטל זכוכית",
    "ar": "مصباح الطاولة|فنجان قهوة|ملعقة خشبية",
    "th": "โคมไฟตั้งโต๊ะ|ถ้วยกาแฟ|ช้อนไม้",
    "zh": "青花瓷茶壶|木勺|台灯|陶瓷咖啡杯，白色|玻璃花瓶|棉质毛巾|香薰蜡烛|大号",
    "tw": "青花瓷茶壺|木製湯匙|桌燈|陶瓷咖啡杯，白色|玻璃花瓶|純棉毛巾",
    "ja": "急須セット|木のスプーン|テーブルランプ|コーヒーカップ、白|ガラスの花瓶",
    "ko": "찻주전자 세트|나무 숟가락|테이블 램프|커피잔, 흰색|유리 꽃병",
}
WRITTEN_IN = {
    "cp1252": "de fr es pt sv da",
    "mac-roman": "de fr es pt sv da",
    "iso8859-15": "de fr sv",
    "cp850": "de",
    "cp1250": "pl cs hu ro",
    "iso8859-2": "pl cs hu ro",
    "cp852": "pl",
    "cp1254": "tr",
    "cp1257": "lt",
    "cp1251": "ru uk",
    "koi8-r": "ru",
    "koi8-u": "uk",
    "iso8859-5": "ru",
    "mac-cyrillic": "ru",
    "cp866": "ru",
    "cp1253": "el",
    "iso8859-7": "el",
    "cp1255": "he",
    "cp1256": "ar",
    "cp874": "th",
    "gb18030": "zh",
    "big5": "tw",
    "cp932": "ja",
    "euc-jp": "ja",
    "cp949": "ko",
}
WHOLE = [(e, code) for e, codes in WRITTEN_IN.items() for code in codes.split()]


def content(names: list[str], encoding: str) -> bytes:
    rows = (f"L-{n};{name};12,50" for n, name in enumerate(names))
    return "\n".join(rows).encode(encoding)


def fits(name: str, encoding: str) -> bool:
    return name.encode(encoding, "ignore").decode(encoding) == name


def is_wrong(sample: bytes, encoding: str) -> bool:
    guessed = guess(sample)
    return guessed is not None and sample.decode(guessed) != sample.decode(encoding)


def guess(sample: bytes) -> str | None:
    return encodings.certain(encodings.readings(sample), sample)


@pytest.mark.parametrize("encoding, code", WHOLE)
def test_file_of_several_lines_is_read_correctly(encoding, code):
    names = [name for name in FILES[code].split("|") if fits(name, encoding)]
    sample = content(names, encoding)

    guessed = guess(sample)

    assert guessed is not None
    assert sample.decode(guessed) == sample.decode(encoding)


def test_file_of_one_line_is_read_correctly_or_not_at_all():
    """Which one it is, is for people to say: of one name most can be several things."""
    names = [
        (encoding, written)
        for encoding, code in WHOLE
        for name in FILES[code].split("|")
        for written in (name, name.upper())
        if fits(written, encoding)
    ]

    right, wrong = 0, []
    for encoding, name in names:
        sample = content([name], encoding)
        guessed = guess(sample) if not sample.isascii() else encoding
        if guessed is not None and sample.decode(guessed) != sample.decode(encoding):
            wrong.append((encoding, guessed, name))
        right += guessed is not None

    assert wrong == []
    assert right > len(names) * 0.2


def test_best_reading_without_a_margin_is_sometimes_wrong(monkeypatch):
    """The positive control."""
    monkeypatch.setattr(encodings, "SURE", -1.0)
    monkeypatch.setattr(encodings, "SURE_OF_ONE_LETTER", -1.0)

    wrong = [
        (encoding, name)
        for encoding, code in WHOLE
        for name in FILES[code].upper().split("|")
        if fits(name, encoding) and is_wrong(content([name], encoding), encoding)
    ]

    assert wrong


def test_letters_in_two_encodings_are_judged_by_their_language():
    """š and Š are the same bytes in the code pages of Western and Central Europe."""
    sample = content(["Šrilanka", "Bangladeš"], "cp1250")

    assert not is_wrong(sample, "cp1250")
    assert encodings.readings(sample)[0].encoding == "cp1250"


@pytest.mark.parametrize(
    "encoding, names",
    [
        ("cp1252", "WÜNNENBERG|NEUKIRCHEN, ALTMÜNSTER|GEMÜNDEN HUNSRÜCK"),
        ("cp1252", "SAN DONÀ DI PIAVE|SALÒ|MONDOVÌ"),
        ("cp1252", "Cefalù|Mondovì|Bienne/Neuchâtel"),
        ("cp1252", "Sanclerlândia - GO|Solânea - PB|Rio Paranaíba - MG"),
        ("cp1250", "VÂLCEA|RÎBNIŢA|SÎNGEREI"),
        ("cp1254", "TEKIRDAĞ|BINGÖL|NEVŞEHIR"),
        ("cp1251", "ЭХЭЛСЭН"),
        ("mac-roman", "Italië|Macedonië|Maleisië|Mauritanië|Bosnië|Australië|België"),
        ("euc-jp", "石岡|伊勢崎|鶴岡|行橋|磐城富岡|佐川|高富|須崎"),
    ],
)
def test_names_that_were_once_misread_are_read_correctly_or_not_at_all(encoding, names):
    assert not is_wrong(content(names.split("|"), encoding), encoding)


@pytest.mark.parametrize(
    "sample", [b"", b"L;\xff\xfe\xfd", bytes(range(128, 256)) * 20, b"L;\x80\x81 \x8d"]
)
def test_bytes_without_text_are_not_guessed(sample):
    assert guess(sample) is None
