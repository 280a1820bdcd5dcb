def test_favicon_address_leads_to_the_icon(client):
    response = client.get("/favicon.ico")

    assert response.status_code == 302
    assert "img/favicon" in response.url and response.url.endswith(".svg")
