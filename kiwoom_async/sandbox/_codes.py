"""The published error codes: the category and the text of each.

Texts of codes as published, texts of categories as recorded (`wire-facts.md`, section 3).
"""

from typing import Final

CATEGORY_TEXTS: Final = {
    0: "정상적으로 처리되었습니다",
    1: "잘못된 요청입니다",
    2: "입력 값 오류입니다",
    3: "인증에 실패했습니다",
    5: "허용된 요청 개수를 초과하였습니다",
    7: "서비스를 처리하는 중에 오류가 발생했습니다",
}

# The categories of 1504, 1511, 1634, 1700, 1903, 8001, 8005 and 8050 are recorded; the other codes
# have the category of the recorded codes nearest in meaning.
_BY_CATEGORY: Final[dict[int, dict[str, str]]] = {
    1: {
        "1501": "API ID가 Null이거나 값이 없습니다",
        "1504": "해당 URI에서는 지원하는 API ID가 아닙니다. API ID={api_id}, URI={uri}",
        "1505": "해당 API ID는 존재하지 않습니다. API ID={api_id}",
        "1687": "재귀 호출이 발생하여 API 호출을 제한합니다, API ID={api_id}",
    },
    2: {
        "1511": "필수 입력 값에 값이 존재하지 않습니다. 필수입력 파라미터={field}",
        "1512": "Http header에 값이 설정되지 않았거나 읽을 수 없습니다",
        "1513": "Http Header에 authorization 필드가 설정되어 있어야 합니다",
        "1514": "입력으로 들어온 Http Header의 authorization 필드 형식이 맞지 않습니다",
        "1515": "Http Header의 authorization 필드 내 Grant Type이 미리 정의된 형식이 아닙니다",
        "1516": "Http Header의 authorization 필드 내 Token이 정의되어 있지 않습니다",
        "1517": "입력 값 형식이 올바르지 않습니다. 파라미터={field} 실패사유= {reason}",
    },
    3: {
        "8001": "App Key와 Secret Key 검증에 실패했습니다",
        "8002": "App Key와 Secret Key 검증에 실패했습니다. 실패사유={reason}",
        "8003": "Access Token을 조회하는데 실패했습니다. 실패사유={reason}",
        "8005": "Token이 유효하지 않습니다",
        "8006": "Access Token을 생성하는데 실패했습니다. 실패사유={reason}",
        "8009": "Access Token을 발급하는데 실패했습니다. 실패사유={reason}",
        "8010": "Token을 발급받은 IP와 서비스를 요청한 IP가 동일하지 않습니다",
        "8011": "Access Token을 발급하는데 실패했습니다. 입력값에 grant_type이 들어오지 않았습니다",
        "8012": "Access Token을 발급하는데 실패했습니다. grant_type의 값이 맞지 않습니다",
        "8015": "Access Token을 폐기하는데 실패했습니다. 실패사유={reason}",
        "8016": "Access Token을 폐기하는데 실패했습니다. 입력값에 Token이 들어오지 않았습니다",
        "8020": "입력파라미터로 appkey 또는 secretkey가 들어오지 않았습니다.",
        "8030": "투자구분(실전/모의)이 달라서 Appkey를 사용할수가 없습니다",
        "8031": "투자구분(실전/모의)이 달라서 Token를 사용할수가 없습니다",
        "8040": "단말기 인증에 실패했습니다",
        "8050": "지정단말기 인증에 실패했습니다",
        "8103": "토큰 인증 또는 단말기인증에 실패했습니다. 실패사유={reason}",
        "8104": "모의투자에서 지원하지 않는 API 입니다.",
        "8200": "법인 고객은 해당 API를 지원하지 않습니다. API ID={api_id}, URI={uri}",
    },
    5: {
        "1634": "",
        "1700": "허용된 API 요청 개수를 초과하였습니다. 유량={limit}, API ID={api_id}",
        "1701": "허용된 전체 요청 개수를 초과하였습니다. 총유량={limit}",
        "1702": "허용된 그룹 요청 개수를 초과하였습니다. 총유량={limit}, API_ID={api_id}",
    },
    7: {
        "1901": "시장 코드값이 존재하지 않습니다. 종목코드={field}",
        "1902": "종목 정보가 없습니다. 입력한 종목코드 값을 확인바랍니다. 종목코드={field}",
        "1903": "종목 정보가 없습니다. 입력한 종목코드, 거래소구분 값을 확인바랍니다. "
        "거래소구분={reason}, 종목코드={field}",
        "1999": "예기치 못한 에러가 발생했습니다. 실패사유={reason}",
    },
}

CODES: Final = {
    code: (category, text)
    for category, texts in _BY_CATEGORY.items()
    for code, text in texts.items()
}
