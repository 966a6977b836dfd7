"""The stocks that each market lists, in the server's order, the same on every day.

Real names and codes come first (as listed in 2025), then invented companies and funds, whose codes
begin with 8. No price or turnover is real.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from random import Random
from typing import Final, TypeVar

from attrs import frozen

_T = TypeVar("_T")

# Draws from [0, 1).
RandomFloat = Callable[[], float]

# code, typical price in won, typical program turnover in billion won a day, name
_REAL_STOCKS: Final = {
    "P00101": """
        005380 408500 180 현대차
        005930 230500 3100 삼성전자
        005935 172000 0 삼성전자우
        000660 610000 2300 SK하이닉스
        105560 118000 160 KB금융
        373220 395000 210 LG에너지솔루션
        035420 248000 240 NAVER
        005385 208000 3 현대차우
        005387 212000 4 현대차2우B
        051910 372000 110 LG화학
        051915 181000 2 LG화학우
        207940 1020000 170 삼성바이오로직스
        000270 114000 150 기아
        068270 178000 190 셀트리온
        055550 72000 120 신한지주
        012330 296000 90 현대모비스
        005490 312000 130 POSCO홀딩스
        035720 59000 140 카카오
        028260 183000 95 삼성물산
        033780 137000 60 KT&G
        066570 86000 70 LG전자
        003550 79000 25 LG
        034730 205000 45 SK
        015760 42500 105 한국전력
        017670 54000 40 SK텔레콤
        030200 52000 35 KT
        032830 156000 50 삼성생명
        000810 451000 45 삼성화재
        009150 198000 65 삼성전기
        018260 169000 30 삼성에스디에스
        006400 214000 120 삼성SDI
        010130 892000 55 고려아연
        011200 21500 60 HMM
        034020 78000 420 두산에너빌리티
        336260 33000 12 두산퓨얼셀
        33626K 9800 0 두산퓨얼셀1우
        012450 934000 260 한화에어로스페이스
        009540 421000 110 HD한국조선해양
        329180 538000 150 HD현대중공업
        042660 112000 170 한화오션
        010140 22000 130 삼성중공업
        096770 108000 60 SK이노베이션
        010950 66000 30 S-Oil
        003490 23500 28 대한항공
        086790 89000 85 하나금융지주
        316140 25800 55 우리금융지주
        024110 20200 33 기업은행
        259960 291000 48 크래프톤
        352820 277000 52 하이브
        090430 124000 38 아모레퍼시픽
        086280 176000 31 현대글로비스
        267260 602000 140 HD현대일렉트릭
        064350 187000 160 현대로템
        047810 95000 66 한국항공우주
        323410 23900 29 카카오뱅크
        377300 54500 24 카카오페이
        000720 61000 36 현대건설
        004020 33500 17 현대제철
        011170 67000 13 롯데케미칼
        139480 74500 11 이마트
        069500 52000 380 KODEX 200
        122630 41500 290 KODEX 레버리지
    """,
    "P10102": """
        247540 131000 140 에코프로비엠
        086520 62500 120 에코프로
        028300 48500 85 HLB
        058470 52000 40 리노공업
        403870 31500 24 HPSP
        035900 71000 32 JYP Ent.
        041510 118000 36 에스엠
        122870 89000 17 와이지엔터테인먼트
        145020 301000 45 휴젤
        214150 58500 30 클래시스
        277810 285000 66 레인보우로보틱스
        068760 51500 16 셀트리온제약
        293490 15900 9 카카오게임즈
        263750 36500 14 펄어비스
        112040 27800 8 위메이드
        036930 38500 27 주성엔지니어링
        240810 47500 34 원익IPS
        039030 202000 29 이오테크닉스
        005290 38000 13 동진쎄미켐
        357780 208000 11 솔브레인
        095340 62000 10 ISC
        141080 151000 58 리가켐바이오
        087010 262000 72 펩트론
        000250 192000 25 삼천당제약
        253450 47000 7 스튜디오드래곤
        078600 76500 12 대주전자재료
        035760 71500 6 CJ ENM
        084370 61000 9 유진테크
    """,
}

_FIRST_SYLLABLES: Final = "가나다라마바사아자하고노도로모보소오초새은이해누"
_SECOND_SYLLABLES: Final = "람온솔울미빛결담찬봄늘슬별루을름윤든애품"
_INDUSTRY_NAMES: Final = """
    전자 화학 제약 건설 중공업 정밀 소재 바이오 물산 산업 제지 식품 방직 기계 전선 금속 철강
    홀딩스 로보틱스 반도체 디스플레이 에너지 해운 통신 게임즈 엔터테인먼트 제과 유업 상사
    시스템즈 네트웍스 테크놀로지 머티리얼즈 사이언스 모빌리티 인터내셔널
"""
_INDUSTRIES: Final = _INDUSTRY_NAMES.split()
_FUND_NAMES: Final = (
    "200",
    "미국나스닥100",
    "코스닥150레버리지",
    "국고채10년",
    "2차전지TOP10",
    "조선해양액티브",
    "미국배당다우존스타겟커버드콜2호",
    "미국반도체TOP10커버드콜액티브(합성 H)",
    "글로벌인공지능반도체밸류체인액티브타겟위클리커버드콜레버리지형(합성 H)",
)
_LETTERS: Final = "ABCDEFGHJKLMNPRSTVWXYZ"
# Invented serial numbers are even for KOSPI and odd for KOSDAQ, so that no code is in both.
_SERIAL_PARITY: Final = {"P00101": 0, "P10102": 1}


@frozen
class Stock:
    """One listed stock: typical price in won, typical program turnover in million won a day.

    `turnover` is 0 for a thinly traded stock.
    """

    code: str
    name: str
    price: int
    turnover: int


@lru_cache(maxsize=8)
def stocks(mrkt_tp: str, count: int) -> tuple[Stock, ...]:
    """Return the first `count` stocks of a market."""
    listed: dict[str, Stock] = {}
    names: set[str] = set()
    candidates = _candidates(mrkt_tp)
    while len(listed) < count:
        stock = next(candidates)
        if stock.code not in listed and stock.name not in names:
            listed[stock.code] = stock
            names.add(stock.name)
    return tuple(listed.values())


def _candidates(mrkt_tp: str) -> Iterator[Stock]:
    for line in _REAL_STOCKS[mrkt_tp].strip().splitlines():
        code, price, billions, name = line.split(maxsplit=3)
        yield Stock(code, name, int(price), int(billions) * 1000)
    random = Random(f"universe {mrkt_tp}").random  # noqa: S311 - invented names, no secrets
    while True:
        yield from _company_or_fund(_SERIAL_PARITY[mrkt_tp], random)


def _company_or_fund(parity: int, random: RandomFloat) -> Iterator[Stock]:
    """Yield an invented fund, or a company and its preferred stock if it has one."""
    serial = 2 * int(500 * random()) + parity
    brand = _pick(_FIRST_SYLLABLES, random) + _pick(_SECOND_SYLLABLES, random)
    if random() < 0.2:  # about the share of funds among the listed
        code = f"8{serial:03d}{_pick(_LETTERS, random)}0"
        yield _invented_stock(code, f"{brand} {_pick(_FUND_NAMES, random)}", random)
        return
    stem, name = f"8{serial:03d}{int(10 * random())}", brand + _pick(_INDUSTRIES, random)
    yield _invented_stock(f"{stem}0", name, random)
    suffix, preferred = _pick((("", ""),) * 14 + (("5", "우"), ("K", "1우")), random)
    if suffix:
        yield Stock(stem + suffix, name + preferred, _heavy_tailed(600, random), 0)


def _invented_stock(code: str, name: str, random: RandomFloat) -> Stock:
    price = int(_heavy_tailed(5000, random) * (0.1 + 0.9 * random()))
    thinly_traded = random() < 0.67  # two thirds of the recorded rows are zero
    return Stock(code, name, price, 0 if thinly_traded else _heavy_tailed(1600, random))


def _heavy_tailed(scale: int, random: RandomFloat) -> int:
    # Only division: the last digit of powers and logarithms differs between platforms.
    return int(scale / (0.006 + random()))


def _pick(choices: Sequence[_T], random: RandomFloat) -> _T:
    return choices[int(len(choices) * random())]
