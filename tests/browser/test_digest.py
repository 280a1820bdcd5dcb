from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]

DIGEST = """async ([source, rows]) => {
    const blob = new Blob([source], { type: "text/javascript" });
    const { digest } = await import(URL.createObjectURL(blob));
    return rows.map((row) => digest(new Map(Object.entries(row.topics))));
}"""


def test_digest_of_the_pages_script_is_the_documents(visit):
    document = yaml.safe_load((ROOT / "realtime" / "asyncapi.yaml").read_text())
    rows = document["info"]["x-digests"]
    source = (ROOT / "static" / "js" / "live.js").read_text()

    page = visit("/", bypass_csp=True)  # which allows no script from a blob
    digest = page.evaluate(DIGEST, [source, rows])

    assert digest == [row["digest"] for row in rows]
