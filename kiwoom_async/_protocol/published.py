"""The published requests (TRs): the api-id, Korean name and path of each, to look up and search."""

import unicodedata
from functools import cache

from attrs import frozen


@frozen
class PublishedRequest:
    """A request that Kiwoom has published: its api-id, Korean name and path."""

    api_id: str
    korean_name: str
    path: str

    @property
    def trades(self) -> bool:
        """True for a request that places, changes or cancels an order; this library sends none."""
        return is_trading_path(self.path)


def is_trading_path(path: str) -> bool:
    """Return True for the path of orders, in any case and with anything behind it."""
    return any(part.endswith("ordr") for part in path.lower().split("/"))


def published_requests(text: str = "") -> list[PublishedRequest]:
    """Return the published requests whose api-id, Korean name or path has every word of `text`.

    By api-id; all of them without a text. Those that trade are among them, though no call serves
    them.
    """
    # macOS passes Korean letters on in parts (NFD).
    words = unicodedata.normalize("NFC", text).lower().split()
    return [
        request
        for request in _requests_by_api_id().values()
        if all(word in _searchable(request) for word in words)
    ]


def published_request(api_id: str) -> PublishedRequest | None:
    """Return the published request of an api-id, None for others."""
    return _requests_by_api_id().get(api_id)


def _searchable(request: PublishedRequest) -> str:
    # Some names are published with spaces, some without.
    name = request.korean_name.replace(" ", "")
    return f"{request.api_id} {name} {request.path}".lower()


@cache
def _requests_by_api_id() -> dict[str, PublishedRequest]:
    lines = [line.split(maxsplit=2) for line in _TABLE.strip().splitlines()]
    return {
        api_id: PublishedRequest(api_id, korean_name, f"/api/dostk/{folder}")
        for api_id, folder, korean_name in lines
    }


# Two independent lists of the REST API's requests agree on these 181: the api-id, the last part of
# the path, which is /api/dostk/ before it, and the Korean name.
_TABLE = """
ka00198 stkinfo 실시간종목조회순위
ka01690 acnt 일별잔고수익률
ka10001 stkinfo 주식기본정보요청
ka10002 stkinfo 주식거래원요청
ka10003 stkinfo 체결정보요청
ka10004 mrkcond 주식호가요청
ka10005 mrkcond 주식일주월시분요청
ka10006 mrkcond 주식시분요청
ka10007 mrkcond 시세표성정보요청
ka10008 frgnistt 주식외국인종목별매매동향
ka10009 frgnistt 주식기관요청
ka10010 sect 업종프로그램요청
ka10011 mrkcond 신주인수권전체시세요청
ka10013 stkinfo 신용매매동향요청
ka10014 shsa 공매도추이요청
ka10015 stkinfo 일별거래상세요청
ka10016 stkinfo 신고저가요청
ka10017 stkinfo 상하한가요청
ka10018 stkinfo 고저가근접요청
ka10019 stkinfo 가격급등락요청
ka10020 rkinfo 호가잔량상위요청
ka10021 rkinfo 호가잔량급증요청
ka10022 rkinfo 잔량율급증요청
ka10023 rkinfo 거래량급증요청
ka10024 stkinfo 거래량갱신요청
ka10025 stkinfo 매물대집중요청
ka10026 stkinfo 고저PER요청
ka10027 rkinfo 전일대비등락률상위요청
ka10028 stkinfo 시가대비등락률요청
ka10029 rkinfo 예상체결등락률상위요청
ka10030 rkinfo 당일거래량상위요청
ka10031 rkinfo 전일거래량상위요청
ka10032 rkinfo 거래대금상위요청
ka10033 rkinfo 신용비율상위요청
ka10034 rkinfo 외인기간별매매상위요청
ka10035 rkinfo 외인연속순매매상위요청
ka10036 rkinfo 외인한도소진율증가상위
ka10037 rkinfo 외국계창구매매상위요청
ka10038 rkinfo 종목별증권사순위요청
ka10039 rkinfo 증권사별매매상위요청
ka10040 rkinfo 당일주요거래원요청
ka10042 rkinfo 순매수거래원순위요청
ka10043 stkinfo 거래원매물대분석요청
ka10044 mrkcond 일별기관매매종목요청
ka10045 mrkcond 종목별기관매매추이요청
ka10046 mrkcond 체결강도추이시간별요청
ka10047 mrkcond 체결강도추이일별요청
ka10048 elw ELW일별민감도지표요청
ka10050 elw ELW민감도지표요청
ka10051 sect 업종별투자자순매수요청
ka10052 stkinfo 거래원순간거래량요청
ka10053 rkinfo 당일상위이탈원요청
ka10054 stkinfo 변동성완화장치발동종목요청
ka10055 stkinfo 당일전일체결량요청
ka10058 stkinfo 투자자별일별매매종목요청
ka10059 stkinfo 종목별투자자기관별요청
ka10060 chart 종목별투자자기관별차트요청
ka10061 stkinfo 종목별투자자기관별합계요청
ka10062 rkinfo 동일순매매순위요청
ka10063 mrkcond 장중투자자별매매요청
ka10064 chart 장중투자자별매매차트요청
ka10065 rkinfo 장중투자자별매매상위요청
ka10066 mrkcond 장마감후투자자별매매요청
ka10068 slb 대차거래추이요청
ka10069 slb 대차거래상위10종목요청
ka10072 acnt 일자별종목별실현손익요청_일자
ka10073 acnt 일자별종목별실현손익요청_기간
ka10074 acnt 일자별실현손익요청
ka10075 acnt 미체결요청
ka10076 acnt 체결요청
ka10077 acnt 당일실현손익상세요청
ka10078 mrkcond 증권사별종목매매동향요청
ka10079 chart 주식틱차트조회요청
ka10080 chart 주식분봉차트조회요청
ka10081 chart 주식일봉차트조회요청
ka10082 chart 주식주봉차트조회요청
ka10083 chart 주식월봉차트조회요청
ka10084 stkinfo 당일전일체결요청
ka10085 acnt 계좌수익률요청
ka10086 mrkcond 일별주가요청
ka10087 mrkcond 시간외단일가요청
ka10088 acnt 미체결 분할주문 상세
ka10094 chart 주식년봉차트조회요청
ka10095 stkinfo 관심종목정보요청
ka10098 rkinfo 시간외단일가등락율순위요청
ka10099 stkinfo 종목정보 리스트
ka10100 stkinfo 종목정보 조회
ka10101 stkinfo 업종코드 리스트
ka10102 stkinfo 회원사 리스트
ka10131 frgnistt 기관외국인연속매매현황요청
ka10170 acnt 당일매매일지요청
ka20001 sect 업종현재가요청
ka20002 sect 업종별주가요청
ka20003 sect 전업종지수요청
ka20004 chart 업종틱차트조회요청
ka20005 chart 업종분봉조회요청
ka20006 chart 업종일봉조회요청
ka20007 chart 업종주봉조회요청
ka20008 chart 업종월봉조회요청
ka20009 sect 업종현재가일별요청
ka20019 chart 업종년봉조회요청
ka20068 slb 대차거래추이요청(종목별)
ka30001 elw ELW가격급등락요청
ka30002 elw 거래원별ELW순매매상위요청
ka30003 elw ELWLP보유일별추이요청
ka30004 elw ELW괴리율요청
ka30005 elw ELW조건검색요청
ka30009 elw ELW등락율순위요청
ka30010 elw ELW잔량순위요청
ka30011 elw ELW근접율요청
ka30012 elw ELW종목상세정보요청
ka40001 etf ETF수익율요청
ka40002 etf ETF종목정보요청
ka40003 etf ETF일별추이요청
ka40004 etf ETF전체시세요청
ka40006 etf ETF시간대별추이요청
ka40007 etf ETF시간대별체결요청
ka40008 etf ETF일자별체결요청
ka40009 etf ETF시간대별체결요청
ka40010 etf ETF시간대별추이요청
ka50010 mrkcond 금현물체결추이
ka50012 mrkcond 금현물일별추이
ka50079 chart 금현물틱차트조회요청
ka50080 chart 금현물분봉차트조회요청
ka50081 chart 금현물일봉차트조회요청
ka50082 chart 금현물주봉차트조회요청
ka50083 chart 금현물월봉차트조회요청
ka50087 mrkcond 금현물예상체결
ka50091 chart 금현물당일틱차트조회요청
ka50092 chart 금현물당일분봉차트조회요청
ka50100 mrkcond 금현물 시세정보
ka50101 mrkcond 금현물 호가
ka52301 frgnistt 금현물투자자현황
ka90001 thme 테마그룹별요청
ka90002 thme 테마구성종목요청
ka90003 stkinfo 프로그램순매수상위50요청
ka90004 stkinfo 종목별프로그램매매현황요청
ka90005 mrkcond 프로그램매매추이요청 시간대별
ka90006 mrkcond 프로그램매매차익잔고추이요청
ka90007 mrkcond 프로그램매매누적추이요청
ka90008 mrkcond 종목시간별프로그램매매추이요청
ka90009 rkinfo 외국인기관매매상위요청
ka90010 mrkcond 프로그램매매추이요청 일자별
ka90012 slb 대차거래내역요청
ka90013 mrkcond 종목일별프로그램매매추이요청
kt00001 acnt 예수금상세현황요청
kt00002 acnt 일별추정예탁자산현황요청
kt00003 acnt 추정자산조회요청
kt00004 acnt 계좌평가현황요청
kt00005 acnt 체결잔고요청
kt00007 acnt 계좌별주문체결내역상세요청
kt00008 acnt 계좌별익일결제예정내역요청
kt00009 acnt 계좌별주문체결현황요청
kt00010 acnt 주문인출가능금액요청
kt00011 acnt 증거금율별주문가능수량조회요청
kt00012 acnt 신용보증금율별주문가능수량조회요청
kt00013 acnt 증거금세부내역조회요청
kt00015 acnt 위탁종합거래내역요청
kt00016 acnt 일별계좌수익률상세현황요청
kt00017 acnt 계좌별당일현황요청
kt00018 acnt 계좌평가잔고내역요청
kt10000 ordr 주식 매수주문
kt10001 ordr 주식 매도주문
kt10002 ordr 주식 정정주문
kt10003 ordr 주식 취소주문
kt10006 crdordr 신용 매수주문
kt10007 crdordr 신용 매도주문
kt10008 crdordr 신용 정정주문
kt10009 crdordr 신용 취소주문
kt20016 stkinfo 신용융자 가능종목요청
kt20017 stkinfo 신용융자 가능문의
kt50000 ordr 금현물 매수주문
kt50001 ordr 금현물 매도주문
kt50002 ordr 금현물 정정주문
kt50003 ordr 금현물 취소주문
kt50020 acnt 금현물 잔고확인
kt50021 acnt 금현물 예수금
kt50030 acnt 금현물 주문체결전체조회
kt50031 acnt 금현물 주문체결조회
kt50032 acnt 금현물 거래내역조회
kt50075 acnt 금현물 미체결조회
"""
