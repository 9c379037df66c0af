"""What is said in a ticket beyond its numbers: claims about the goods, wishes, sensitive subjects, signs of injection.

Expressions over folded text, in the languages that have written cues. A sign of injection is a signal for the reviewer:
no decision may depend on its being found.
"""

from __future__ import annotations

import re
from typing import Final

from graph.models.triage import Claim, Evidence, Part, Sensitive, Urgency, Want
from graph.redaction.finding import fold


def _compiled(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


_NOT_RECEIVED: Final = _compiled(
    r"\b(?:never|not|has ?n.?t|have ?n.?t|did ?n.?t|still no\w?|nothing(?:.s| has)?|no)\b.{0,14}\b(?:arriv\w*|"
    r"receiv\w*|come|came|"
    r"turned up|show(?:ed|n)? up|shown up|been delivered|got it|got my|got here|parcel|package|delivery)\b",
    r"\bsays? .{0,4}delivered.{0,80}\b(?:not|no|nothing|never)\b|\b(?:parcel|package|order|"
    r"shipment)\b.{0,20}\b(?:is |was |got )?"
    r"(?:lost|missing|stolen|vanished)",
    r"\bno (?:ha llegado|he recibido|me ha llegado)|\bnao (?:chegou|recebi|foi)|\b(?:jamais|pas|"
    r"rien) (?:ete )?(?:recu|arrive|livre)",
    r"\bnicht (?:angekommen|erhalten|geliefert)|\u5c4a(?:\u3044\u3066(?:\u3044)?(?:\u306a\u3044|"
    r"\u307e\u305b\u3093)|\u304d\u307e\u305b\u3093)",
)
_WAITING: Final = _compiled(
    r"\b(?:in transit|preparing|label created|still (?:waiting|coming|processing)|not (?:had a )?(?:shipped|"
    r"tracking)|where.?s my|"
    r"where is my|n.?t (?:so much as )?been (?:packed|shipped)|ships? by|no(?:t had a)? tracking|"
    r"still on hold)\b",
    r"\b(?:hasn.?t|not) (?:even )?(?:left|shipped)|\u6e96\u5099\u4e2d|\u307e\u3060.{0,12}(?:\u5c4a|\u767a\u9001)",
)
_DELIVERED: Final = _compiled(
    r"\b(?:arrived|turned up|was delivered|got (?:it|them|the) |received (?:it|the|a|my|them)|came (?:in|with|"
    r"broken|damaged|no)|"
    r"opened|unboxed|unpacked|already here|box came|parcel came|item came|tried (?:it|them) on|wore it|used it|"
    r"it fits?|put it on)\b",
    r"\b(?:ha llegado|me llego|he recibido|chegou|recebi|sont arrive\w*|est arrive\w*|j.ai recu|ist angekommen|"
    r"erhalten|ausgepackt)\b",
    r"\b(?:i (?:have )?(?:returned|sent back)|want to return|send (?:it|the thing) back)\b|\u5c4a\u3044\u305f|"
    r"\u5c4a\u304d\u307e\u3057\u305f|\u8fd4\u54c1\u3057\u305f",
)
_CLAIMS: Final[dict[Claim, re.Pattern[str]]] = {
    Claim.NOT_RECEIVED: _NOT_RECEIVED,
    Claim.DAMAGED: _compiled(
        r"\b(?:broken|damaged|cracked|shattered|smashed|torn|ripped|scratched|dented|defective|faulty|leak(?:s|ing|"
        r"ed)|melted|chipped|"
        r"mould\w*|in pieces|does ?n.?t (?:work|turn on)|stopped working|dead on arrival|rot[oa]s?|rajad\w+|"
        r"casse\w*|en miettes|"
        r"kaputt\w*|beschadigt|defekt|quebrad\w+|danificad\w+)\b",
        "\u7834\u640d|\u58ca\u308c|\u5272\u308c|\u4e0d\u826f\u54c1",
    ),
    Claim.WRONG_ITEM: _compiled(
        r"\b(?:wrong|incorrect) (?:item|product|size|colou?r|one|order|model)\b|\binstead of\b.{0,40}|"
        r"\bnot what i ordered\b|"
        r"\b(?:someone|somebody) else.?s (?:order|stuff|parcel)\b|\b(?:falsche[nrs]?) (?:artikel|grosse)|"
        r"\bequivocad\w+"
    ),
    Claim.UNAUTHORISED: _compiled(
        r"\b(?:un-?authori[sz]ed|did ?n.?t (?:authori[sz]e|approve|buy|make|order) (?:this|it|that|anything)|"
        r"not authori[sz]e|fraud\w*|"
        r"never (?:heard of you|ordered (?:anything|from))|(?:used|stole|cloned) my card|do ?n.?t recogni[sz]e|"
        r"hacked)\b",
        r"\bno reconozco|\bnao reconheco|\bjamais (?:rien )?commande|\bne reconnais pas|\bnicht (?:genehmigt|"
        r"autorisiert)|\u8eab\u306b\u899a\u3048",
    ),
    Claim.DUPLICATE: _compiled(
        r"\b(?:charged|billed|debited|paid|taken|took|cobrad\w+|debite\w*)\b.{0,40}\b(?:twice|two times|2x|double|"
        r"dos veces|deux fois|"
        r"duas vezes)\b|\b(?:double|duplicate\w*) (?:charge\w*|bill\w*|payment\w*|transaction\w*)|"
        r"\btwice\b.{0,30}\b(?:card|statement)",
        r"\bdoppelt\b.{0,20}\babgebucht|\u4e8c\u91cd\u8acb\u6c42|2\u4ef6\u8f09",
    ),
    Claim.UNOPENED: _compiled(
        r"\b(?:unopened|un-?worn|un-?used|never (?:opened|used|worn)|still (?:sealed|in (?:its|the) (?:box|wrapping|"
        r"packaging))|"
        r"tags (?:still )?on|nicht benutzt|sin (?:abrir|usar)|jamais (?:ouvert|porte))\b|\u672a\u958b\u5c01|"
        r"\u672a\u4f7f\u7528"
    ),
    Claim.PHOTO: _compiled(
        r"\b(?:photos?|pictures?|pics?|screenshots?|image|video|clip|fotos?|adjunto|bilder)\b.{0,30}|\battach(?:ed|"
        r"ing)\b|\u5199\u771f|\u6dfb\u4ed8"
    ),
    Claim.ASKS_FOR_HUMAN: _compiled(
        r"\b(?:speak|talk|chat)\b.{0,20}\b(?:human|person|someone|somebody|agent|representative|manager|"
        r"supervisor)\b|\breal person\b|"
        r"\bhuman being\b|\bhuman agent\b|\blet a person\b|\b(?:call|ring|phone) me\b|\b(?:somebody|someone|"
        r"supervisor|manager|person)\b"
        r".{0,12}\b(?:call|ring|(?:tele)?phone)\b|\bnamed member of staff\b|\bque me llame|\bpersona que\b|"
        r"\bhablar con\b|\u62c5\u5f53\u8005"
    ),
}
_WANTS: Final[tuple[tuple[Want, re.Pattern[str]], ...]] = (
    (
        Want.REPLACEMENT,
        _compiled(
            r"\b(?:send|ship|want|get|have|mail)\b.{0,20}\b(?:another|a new one|replacement|replaced|again|"
            r"the right one|two more)\b|"
            r"\bresend|\breplacement\b|\bersatz\w*|\brepuesto|\breenvi\w+|\u518d\u9001|\u4ea4\u63db"
        ),
    ),
    (
        Want.EXCHANGE,
        _compiled(r"\b(?:exchange|swap|trade it)\b|\bechanger|\bumtausch\w*|\btauschen|\bcambiar(?:lo|la)?\b|\btrocar"),
    ),
    (
        Want.CANCEL,
        _compiled(
            r"\bcanc(?:el|le)\w*|\bunsubscribe|\bresilier|\bkundig\w*|\bstornier\w*|\u89e3\u7d04|"
            r"\u30ad\u30e3\u30f3\u30bb\u30eb"
        ),
    ),
    (
        Want.REFUND,
        _compiled(
            r"\brefund\w*|\bmoney back\b|\breimburs\w*|\b(?:one|\d+|it|all|both) back\b|\bdevuelv\w*|\bdevoluc\w+|"
            r"\breembols\w+|"
            r"\brembours\w+|\bgeld zuruck|\berstatt\w+|\u8fd4\u91d1"
        ),
    ),
    (Want.INFO, _compiled(r"\?|\uff1f|\blet me know\b|\bcan you tell\b|\bwould like to know\b")),
)
_SENSITIVE: Final[tuple[tuple[Sensitive, re.Pattern[str]], ...]] = (
    (
        Sensitive.SELF_HARM,
        _compiled(
            r"\b(?:kill|hurt|harm) myself\b|\bsuicid\w+|\bend (?:my life|it all)\b|\bdo ?n.?t want to live\b|"
            r"\bno reason to live\b|"
            r"\bself.?harm\w*|\bwant to die\b|\bsuizid|\bme quiero morir|\bquitarme la vida"
        ),
    ),
    (
        Sensitive.THREAT,
        _compiled(
            r"\b(?:i(?:.ll| will| am going to)|gonna|going to)\b.{0,20}\b(?:kill|hurt|shoot|stab|burn|bomb|beat|"
            r"find you|come to your "
            r"(?:office|house|warehouse))\b|\b(?:chargeback|dispute)\b.{0,40}|\b(?:call|ring|tell|"
            r"contact)\b.{0,12}\b(?:the|my) bank\b"
            r".{0,60}\b(?:dispute|if|unless|deadline)|\b(?:know where you|watch your back)\b"
        ),
    ),
    (
        Sensitive.LEGAL,
        _compiled(
            r"\b(?:lawyer|attorney|solicitor|sue|suing|lawsuit|legal (?:action|advice|proceedings)|small claims|court|"
            r"counsel|"
            r"trading standards|ombudsman|consumer protection|notice before action|gdpr|dsgvo|rgpd|data protection|"
            r"erasure|"
            r"discriminat\w+|abogado|demanda\w*|avocat|tribunal|anwalt|rechtsanwalt|klage|advogado|procon)\b|"
            r"\u5f01\u8b77\u58eb|\u8a34\u8a1f"
        ),
    ),
    (
        Sensitive.PRESS,
        _compiled(
            r"\b(?:journalist|reporter|newspaper|press (?:enquiry|inquiry|office|request)|on the record|news (?:desk|"
            r"outlet|room)|"
            r"staff writer|tv station|periodista|journaliste|presse ?anfrage|jornalista|documentary)\b"
        ),
    ),
    (
        Sensitive.HEALTH,
        _compiled(
            r"\b(?:allerg\w+|anaphyla\w+|rash|burn(?:ed|t) (?:my|his|her)|stitches|urgent care|hospital\w*|"
            r"emergency room|injur\w+|bleed\w*|"
            r"cut my|poison\w*|choke\w*|electric shock|fire hazard|caught fire|passed away|bereave\w*|deceased|"
            r"funeral|"
            r"alergi\w+|allergi\w+|verletzt|krankenhaus|bless\w+ (?:au|a la))\b|\u30a2\u30ec\u30eb\u30ae\u30fc|"
            r"\u602a\u6211"
        ),
    ),
)
_INJECTION: Final = _compiled(
    r"\b(?:ignore|disregard|forget|override|bypass|olvida|vergiss|ignoriere|oublie|"
    r"esqueca)\b.{0,40}\b(?:instruction\w*|previous|above|"
    r"prior|polic(?:y|ies)|rules?|guidelines|normas|regeln|anweisungen|consignes|instrucciones|everything|all)\b",
    r"\[/?(?:system|inst|assistant|admin|developer)\]|<\|?(?:system|im_start|endoftext)|\b(?:system|developer|"
    r"assistant) ?(?:prompt|message|"
    r"override|mode)\b|^\s*(?:system|assistant|developer) ?:|\"role\" ?:|\bnote (?:for|to) the (?:model|"
    r"assistant|ai|bot)\b",
    r"\b(?:you are now|act as|pretend (?:to be|you)|new instructions?|jailbreak|developer mode|do anything now|"
    r"simulate|roleplay)\b",
    r"\b(?:assistant|ai|bot|automated (?:agents?|support)|model|inteligencia artificial|chatbot|"
    r"llm)\b.{0,60}\b(?:must|should|required|bound|"
    r"shall|refund|issue|approve|ignore|output|print|reply with|call)\b",
    r"\b(?:effect|verdict|decision|approval) ?[:=] ?[\"']?(?:allow|approve|grant|none\b)|\b(?:action|request|"
    r"charge|requester|run)\.[a-z_]+ ?[:=]",
    r"\b(?:issue_refund|tool_call|function_call|base64|"
    r"without review|"
    r"do not (?:forward|mention|escalate)|safety checks? off|no human|"
    r"print .{0,20}instructions|<important>|<information>)",
)
_NOW: Final = _compiled(
    r"\b(?:asap|immediately|urgent\w*|right now|at once|emergency|straight away|urgente|dringend|sofort)\b|!!!|"
    r"\u81f3\u6025"
)
_SOON: Final = _compiled(
    r"\b(?:by (?:mon|tues|wednes|thurs|fri|satur|sun)day|by the weekend|before (?:the )?\w+day|birthday|wedding|"
    r"deadline|today|tomorrow|"
    r"this week|before it ships|due (?:on )?\w+day|within \d+ (?:days|hours))\b"
)


def find_claims(text: str, part: Part = Part.BODY) -> list[Evidence]:
    """Claims about the goods and wishes, each claim at its first place in the text."""
    folded = fold(text)
    found = []
    for claim, pattern in _CLAIMS.items():
        match = pattern.search(folded)
        if match:
            found.append(Evidence(match.start(), match.end(), claim, part))
    return found


def delivered(text: str) -> bool | None:
    """Whether they say the goods came; None where they say nothing, or both."""
    folded = fold(text)
    missing = bool(_NOT_RECEIVED.search(folded) or _WAITING.search(folded))
    return None if missing == bool(_DELIVERED.search(folded)) else not missing


def wanted(text: str) -> Want | None:
    """The remedy they ask for; the more specific word wins over the question mark."""
    folded = fold(text)
    return next((want for want, pattern in _WANTS if pattern.search(folded)), None)


def sensitive_topic(text: str) -> tuple[Sensitive, tuple[int, int] | None]:
    """The gravest sensitive subject and its place."""
    folded = fold(text)
    for topic, pattern in _SENSITIVE:
        match = pattern.search(folded)
        if match:
            return topic, match.span()
    return Sensitive.NONE, None


def injection_place(text: str) -> tuple[int, int] | None:
    """Where words stand that talk to a machine rather than to a shop."""
    match = _INJECTION.search(fold(text))
    return match.span() if match else None


def urgency(text: str) -> Urgency:
    """How soon an answer is needed, by the customer's words."""
    folded = fold(text)
    if _NOW.search(folded):
        return Urgency.NOW
    return Urgency.SOON if _SOON.search(folded) else Urgency.NORMAL
