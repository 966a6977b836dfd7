"""The published requests and their search; requests that trade or carry keys are refused."""

import unicodedata

import pytest

from kiwoom_async import PublishedRequest, published_requests
from kiwoom_async._protocol.read_only import check_reads_only, checked_path


def test_there_are_181_by_api_id():
    requests = published_requests()
    api_ids = [request.api_id for request in requests]
    assert len(requests) == 181
    assert api_ids == sorted(set(api_ids))
    assert all(request.path.startswith("/api/dostk/") for request in requests)
    assert all(request.korean_name == request.korean_name.strip() for request in requests)


@pytest.mark.parametrize(
    ("api_id", "korean_name", "path"),
    [
        ("ka00198", "실시간종목조회순위", "/api/dostk/stkinfo"),
        ("ka10001", "주식기본정보요청", "/api/dostk/stkinfo"),
        ("ka10081", "주식일봉차트조회요청", "/api/dostk/chart"),
        ("ka90005", "프로그램매매추이요청 시간대별", "/api/dostk/mrkcond"),
        ("kt50075", "금현물 미체결조회", "/api/dostk/acnt"),
    ],
)
def test_a_request_is_found_by_its_api_id(api_id, korean_name, path):
    assert published_requests(api_id) == [PublishedRequest(api_id, korean_name, path)]
    assert published_requests(api_id.upper()) == published_requests(api_id)
    assert checked_path(api_id, None) == path


@pytest.mark.parametrize(
    ("text", "api_ids"),
    [
        ("프로그램매매추이", ["ka90005", "ka90008", "ka90010", "ka90013"]),
        (unicodedata.normalize("NFD", "주식 매수"), ["kt10000"]),
        ("매수주문 금현물", ["kt50000"]),
        ("매수 주문 금 현물", ["kt50000"]),
        ("THME", ["ka90001", "ka90002"]),
        ("차트 thme", []),
        ("no such", []),
    ],
)
def test_every_word_must_be_in_the_api_id_the_name_or_the_path(text, api_ids):
    assert [request.api_id for request in published_requests(text)] == api_ids


def test_twelve_of_them_trade():
    trading = [request for request in published_requests() if request.trades]
    assert [request.api_id for request in trading] == [
        "kt10000", "kt10001", "kt10002", "kt10003", "kt10006", "kt10007", "kt10008", "kt10009",
        "kt50000", "kt50001", "kt50002", "kt50003",
    ]  # fmt: skip
    assert all(request.korean_name.endswith("주문") for request in trading)


@pytest.mark.parametrize(
    ("api_id", "path", "message"),
    [
        ("ka10001", "/api/dostk/ordr", "ka10001 .주식기본정보요청. at /api/dostk/ordr trades"),
        ("ka10001", "/api/dostk/crdordr", "trades"),
        ("ka99999", "/api/dostk/ordr", "ka99999 at /api/dostk/ordr trades"),
        ("ka10001", "/api/dostk/ordr/", "trades"),
        ("ka10001", "/api/dostk/ORDR", "trades"),
        ("ka10001", "/api/dostk/ordr/x", "trades"),
        ("ka10001", "/ordr", "trades"),
        ("kt10000", "/api/dostk/stkinfo", "kt10000 .주식 매수주문. at .*a retry could place an"),
        ("KT50003", "/elsewhere", "KT50003 .금현물 취소주문. at /elsewhere trades"),
        ("ka10001", "/api/dostk/ordr?x=1", "path: got '/api/dostk/ordr.x=1'; expected one such as"),
        ("ka10001", "/api/dostk/ordr#x", "path: got"),
        ("ka10001", "/api/dostk/%6frdr", "path: got"),
        ("ka10001", "/api/dostk/./stkinfo", "path: got"),
        ("ka10001", "//api/dostk/stkinfo", "path: got"),
        ("ka10001", "api/dostk/stkinfo", "path: got"),
        ("ka10001", "https://elsewhere.invalid/x", "path: got"),
        ("ka10001", "/api/dostk/stkinfo\n", "path: got"),
        ("ka10001", "/api/시세", "path: got"),
        ("ka10001", "/", "path: got"),
        ("ka10001", "", "path: got"),
        ("ka10001", 5, "path: got 5; expected"),
        ("au10001", "/oauth2/token", "api_id: got au10001, of the token; use the client's methods"),
        ("AU10002", "/api/dostk/stkinfo", "api_id: got AU10002, of the token"),
        ("ka10001", "/oauth2/revoke", "path: got /oauth2/revoke, of the token; use the client's"),
        ("ka10001", "/relay/OAuth2/token", "path: got /relay/OAuth2/token, of the token"),
        ("ka10001\r\nx: y", "/api/dostk/stkinfo", "api_id: got .*; expected one such as 'ka10001'"),
        ("", "/api/dostk/stkinfo", "api_id: got ''; expected"),
        ("ka 10001", "/api/dostk/stkinfo", "api_id: got"),
        ("시세", "/api/dostk/stkinfo", "api_id: got"),
        ("k" * 33, "/api/dostk/stkinfo", "api_id: got"),
        (10001, "/api/dostk/stkinfo", "api_id: got 10001; expected"),
        (None, "/api/dostk/stkinfo", "api_id: got None; expected"),
    ],
)
def test_requests_that_trade_carry_keys_or_cannot_be_sent_are_refused(api_id, path, message):
    for check in (check_reads_only, checked_path):
        with pytest.raises(ValueError, match=message):
            check(api_id, path)


@pytest.mark.parametrize("api_id", ["kt10000", "kt50003", "au10001", "au10002", None, "a b"])
def test_they_are_refused_without_a_path_as_well(api_id):
    with pytest.raises(ValueError, match=f"{api_id}.*(trades|of the token|expected one such as)"):
        checked_path(api_id, None)


@pytest.mark.parametrize(
    ("api_id", "near"),
    [
        ("ka10081x", "181 published requests, such as ka10081,.*; of any other, name the path"),
        ("KA10081", "got 'KA10081'; expected .* such as ka10081,"),
        ("rubbish", "published requests; of any other"),
    ],
)
def test_an_unknown_api_id_needs_a_path(api_id, near):
    with pytest.raises(ValueError, match=near):
        checked_path(api_id, None)
    assert checked_path(api_id, "/api/dostk/other_one") == "/api/dostk/other_one"


def test_every_other_published_request_reads():
    for request in published_requests():
        if not request.trades:
            check_reads_only(request.api_id, request.path)
