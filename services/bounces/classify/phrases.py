"""What mail systems write when they keep to no standard: literal tables, a comment a row for family or language.

All rows but those about the returned message are matched against folded text (lower case, no accents, single spaces).
"""
# ruff: noqa: E501, RUF001 - rows are data, and the languages of the world look alike

from __future__ import annotations

import re

_SENDERS = (
    r"mailer.?daemon|mail.?daemon|mdaemon|\bdaemon@",  # the customary names: Sendmail, qmail, Exim, MDaemon
    r"\bpost_?master",  # RFC 5321, section 4.5.1; post_master is Apache James
    r"mail delivery|delivery (?:sub)?system|delivery.(?:status|report|fail|notif)",  # Exim, Sendmail, Gmail
    r"mail system|mail ?admin(?:istrator)?|system administrator|\bsysadmin|undeliver|\bndr\b",  # Exchange, Netscape
    r"jetmail|interscan|mail ?marshal|m(?:ail|ime)sweeper|mailscanner|groupwise|lsmtp|symantec",  # gateways
    r"microsoft ?exchange|microsoft outlook|exchange@|bounces?@|bounce-?notification",  # Exchange, Office 365, providers
)
_FAILURE_SUBJECTS = (
    r"undeliver(?:ed|able|y)?|un-?deliverable|non.?deliver|not (?:be )?deliver|nondeliverable|bounced?\b",  # all
    r"deliver\w* (?:has |status )?(?:notification|report|problem|error|fail\w*)|fail\w* (?:notice|delivery|mail)",  # all
    r"returned? (?:mail|message|to sender)|mail (?:system )?(?:error|failure)|message (?:delivery )?fail",  # Sendmail
    r"(?:mail|message) could not be|error sending your|permanent (?:delivery )?fail|processing error",  # MDaemon, usa.net
    r"user unknown|unknown user|rejected|refused|are not (?:a )?member|not allowed to post",  # MDaemon, mailing lists
    r"unzustellbar|nicht zugestellt|zustellung|fehlgeschlagen",  # German
    r"non (?:remis|distribu|delivr)|undelivrable|echec de (?:la )?(?:remise|livraison|distribution)|message d'echec",  # fr
    r"no (?:se )?(?:ha )?(?:pudo|podido|entreg)|devuelto|fallo (?:en la )?entrega|imposible",  # Spanish
    r"nao (?:pode |foi )?entreg|falha na entrega|devolvid|erro no envio",  # Portuguese
    r"mancat[ao] (?:recapito|consegna)|impossibile (?:recapitare|consegnare)|non recapitat",  # Italian
    r"onbestelbaar|niet (?:worden )?(?:afgeleverd|bezorgd)",  # Dutch
    r"не ?доставлен|невозможно доставить|не может быть доставлен|возвращ|ошибка доставки",  # Russian
    r"配信不能|配信でき|送信でき|送信エラー|宛先不明|エラー|不達|返送",  # Japanese
    r"退信|[无無]法投[递遞]|无法送达|投[递遞]失[败敗]|未送[达達]|发送失败|傳送失敗|退回",  # Chinese
    r"반송|전송 ?실패|배달되지|발송 ?실패",  # Korean
    r"niedostarcz|nie dostarcz|nedoruc|kunde inte levereras|kunne ikke lever|ej leverer",  # Polish, Czech, Nordic
)
_FINAL = (
    r"permanent (?:fatal |delivery )*error|permanent(?:ly)? fail|failed permanently|given up|giving up on",  # all
    r"(?:could|can|may|did|will|was|were|is|has|have|been)(?: ?not|n't)(?: yet)?(?: be| been)? (?:success\w* )?deliver",
    r"(?:un|not |n't )(?:able|possible) to (?:be )?(?:deliver|send|process|relay|complete delivery)",  # qmail, Yahoo
    r"(?:un|not |n't )(?:able|possible) to \w+ (?:your|the|this) (?:e-?mail|mail|message)",  # Gmail
    (
        r"deliver\w*(?: of| to)?(?: your| the| this)?(?: e?-?mail| message)?(?: to)?(?: the| these)?(?: following)?"
        r"(?: recipients?(?: or distribution lists?)?| address(?:es)?)?(?:\(s\))?:?(?: \S+)? "
        r"(?:has |have |was |is )?(?:failed|aborted)"
    ),  # Exchange, I305M, Outlook
    r"delevery to the following recipients",  # the same, as one system spells it
    r"did not (?:reach|receive)|can(?:not)? ?not be reached|could not be reached|not (?:be )?delivered",  # Exchange, Netscape
    r"undeliver(?:able|ed)|(?:is|was|are|been|being) (?:returned|rejected|bounced)|returned to (?:you|sender)",  # all
    r"(?:was|were) rejected by|returned because|returned permanent",  # EZweb, usa.net
    r"(?:following|these) (?:e-?mail )?(?:address|recipient|user)(?:es|s)?(?:\(e?s\))? (?:failed|was|were|had|returned)",
    r"error (?:has )?(?:occurred )?(?:while |in |with )?(?:attempting to |trying to )?deliver",  # OpenSMTPD, DragonFly
    r"deliver\w* (?:problem|error|failure)s?|fail(?:ed|ure) to (?:deliver|send|relay)|(?:problems?|trouble) deliver",
    r"failed (?:recipient|address)|delivery (?:to .{1,120})? ?fail\w*|non-?delivery",  # Smtp32, MailFoundry
    (
        r"problem with the e-?mail address|does not like recipient|(?:invalid|unknown) (?:final )?(?:delivery )?"
        r"(?:user|recipient|address)"
    ),  # qmail, IMail, Smtp32
    r"retry time(?:out)? .{0,20}exceeded|could not be sent|unsuccessful delivery",  # Exim, SurfControl
    r"(?:message|mail) (?:was |has been )?(?:not delivered|not accepted|refused|blocked|discarded)",  # gateways
    r"(?:not|n't) (?:exactly )?(?:a )?(?:recogni[sz]ed|exist|valid|listed|found|match|known)",  # Exchange, Notes
    r"(?:no such|unknown|invalid|no valid|not our) (?:user|recipient|mailbox|address|account|person|customer)",  # all
    r"(?:user|recipient|mailbox|address|account)s?(?: name)? (?:is |was )?(?:unknown|invalid|disabled|full|rejected|not )",
    r"(?:over|exceed\w*|out of)(?: \w+){0,3} (?:quota|disk|storage)|quota (?:usage |is |has been )?exceeded",  # quota
    r"mailbox.{0,20} full|(?:final e-?mail delivery point)",  # quota; phquery
    r"not (?:a )?member|not allowed to post|not permitted to post|unsubscribed address",  # mailing lists that refuse
    r"encountered an error while|errors? w(?:as|ere) detected|failed after|failed because|delivery failed",  # LSMTP
    r"nicht (?:an .{1,80})?(?:zugestellt|ausgeliefert|zugeleitet|ubermittelt)|unzustellbar",  # German
    r"zustellung.{0,60}fehlgeschl",  # German
    r"n'a (?:pas )?pu etre (?:delivr|remis|distribu|achemin|transmis)|pas ete (?:delivr|remis|distribu)",  # French
    r"impossible de remettre|echec (?:definitif )?de (?:la )?(?:remise|distribution|livraison)",  # French
    r"n'a pas pu (?:remettre|delivrer)",  # French
    r"no (?:se |ha |pudo |puede |podido |fue )+(?:ser )?entreg|no (?:pudo|puede) ser",  # Spanish
    r"nao (?:pode|foi|pude|sera)(?: possivel)?(?: ser)?(?: entreg| enviad)|nao foi possivel (?:entreg|enviar)",  # Portuguese
    r"non (?:e stato possibile|puo essere|e stat[oa]|ha potuto) ?(?:recapit|consegn)|impossibile (?:recap|conseg)",  # Italian
    r"niet (?:worden )?(?:afgeleverd|bezorgd|afleveren|bezorgen)|kon(?:den)? niet .{0,60}(?:afgeleverd|bezorgd)",  # Dutch
    r"не (?:может быть|может|могло быть|удалось|было|была)(?: \w+)? ?доставл|не удалось доставить|не ?доставлено",  # Russian
    r"невозможно (?:было )?доставить|не удалось отправить|почтовый ящик .{0,30}не (?:существует|найден)",  # Russian
    r"(?:配信|送信|配送|お届け|転送|配達)(?:することが|が)?でき(?:ません|なかった)|届(?:きません|けられません|けできません)",  # ja
    r"(?:送信|配信|配送|配達)に失敗|宛先.{0,12}(?:存在|見つかり|不明)|エラーが発生",  # Japanese
    r"(?:[无無]法|不能|未能)被?(?:投[递遞]|送[达達]|[发發]送|[传傳]送|成功)|(?:投[递遞]|[发發]送|傳送).{0,4}失[败敗]",  # Chinese
    r"被退回|退信|(?:收件人|用[户戶]|[邮郵]箱).{0,8}不存在",  # Chinese
    r"(?:전송|배달|발송).{0,6}(?:실패|못했|않)|존재하지 않",  # Korean
    r"nie (?:mogla|moze|zostala|udalo).{0,24}dostarcz|niedostarczon|nelze dorucit|ne(?:mohl|byl)\w* .{0,20}doruc",  # pl, cs
    r"kunde inte (?:leverer|skick)|kunne ikke (?:lever|sende)|ei voitu (?:toimit|lahet)|teslim edilemedi",  # sv, da, fi, tr
)
_HARD = (
    r"permanent(?:ly)? (?:fatal |delivery )*(?:error|fail)|failed permanently|fatal error|returned permanent",  # all
    r"(?:i've|have|has|been) given up|giving up on|gave up|no (?:further|more) (?:delivery )?attempts",  # qmail, Courier
    r"will not (?:be )?(?:re-?tr|attempt|try)|(?:been )?removed from the (?:mail )?queue",  # Exchange, MDaemon
    r"retry time(?:out)? .{0,20}exceeded|message expired|not (?:been )?delivered within|expired after",  # Exim, Netscape
    r"endgultig|definitiv|неустранимая|permanente|永久",  # German, French, Spanish, Italian, Russian, Chinese
)
_DELAY = (
    r"(?:will|shall) (?:automatically |still |be )*(?:re-?tr(?:y|ied)|keep (?:on )?trying)",  # Postfix, Gmail, Sendmail
    r"will continue (?:to (?:be |try|attempt|retry|deliver)|trying|attempt|retry|delivery)",  # hMailServer, MDaemon
    r"attempts (?:to deliver .{0,60})?will (?:be )?continue|still (?:trying|being (?:tried|attempted))",  # Exim
    r"warning (?:message )?only|advisory.only|(?:not|n't|no) need to (?:re-?send|resubmit)",  # Sendmail, Gmail
    r"(?:has|have|is|was|been|being) (?:temporarily )?(?:delayed|postponed|deferred)|delivery delayed",  # Exchange
    r"(?:not|n't) (?:yet )?(?:been )?(?:yet )?delivered (?:to .{0,60})?(?:after|yet)|not yet (?:been )?deliver",  # Exim
    r"delivered to one or more (?:recipients|destinations) yet|still undelivered after",  # Postfix, Sendmail
    r"could not (?:be )?(?:send|sent|delivered)? ?(?:message )?(?:for (?:the )?past|for at least)",  # Sendmail
    r"not able to deliver .{0,60} yet|transient non-fatal",  # Courier, Sendmail
    r"verzoger|(?:weiter|erneut)\w* (?:versuch|zustell)|noch nicht (?:zugestellt|ausgeliefert)",  # German
    r"retarde|differe[e]?\b|(?:nouvelle|autre)s? tentatives?|pas encore ete|sera retent|en retard",  # French
    r"retrasad|demorad|se seguira|seguira intentando|aun no (?:se )?ha|todavia no|se reintentara",  # Spanish
    r"atrasad|adiad|continuara (?:a )?tentando|novas tentativas|ainda nao (?:foi|pode)|em atraso",  # Portuguese
    r"ritard|ulteriori tentativi|non e ancora stato|verra ritentat|nuovi tentativi",  # Italian
    r"vertraag|opnieuw (?:worden )?(?:geprobeerd|proberen)|nog niet (?:afgeleverd|bezorgd)",  # Dutch
    r"задерж|отложен|попытки доставки .{0,20}продолж|ещ[её] не (?:был[оа] )?доставлен|повторн\w+ попыт",  # Russian
    r"遅延|遅れて|(?:再送|再配信|再送信)を(?:続け|行い|試み)|自動的に再|まだ(?:配信|配送|送信|届)",  # Japanese
    r"延[迟遲]|[将將会會](?:继续|繼續|自[动動])?(?:重[试試]|[尝嘗][试試])|[继繼][续續][尝嘗][试試]|尚未(?:送[达達]|投[递遞])",  # zh
    r"지연|재시도|opozni|zpozd|forsenad|forsinke|viivasty|gecik",  # Korean, Polish, Czech, Nordic, Finnish, Turkish
)
_DELAY_SUBJECTS = (
    r"\bdelay(?:ed)?\b|delivery warning|deferred|postponed|still (?:being|trying)|not yet|\btemporary",  # all
    r"warning: (?:could not send|message|mail|e-?mail)|could not send message for past",  # Sendmail, Exim
    r"verzoger|retard|differe\b|retras|demora|atras|ritard|vertrag|задерж|отложен|遅延|延[迟遲]|지연",  # languages
)
_SUCCESS = (
    r"success\w* (?:delivered|relayed|sent)|(?:was|were|has been|have been) (?:delivered|relayed)|\(success\)|\(relay\w*\)",
    r"delivery (?:was )?success|erfolgreich zugestellt|remis avec succes|entregado con exito|entregue com sucesso",  # languages
    r"配信されました|配送しました|успешно доставлен|成功(?:投递|送达)|已送达",  # Japanese, Russian, Chinese
)
_CHALLENGE = (
    r"protected by .{0,120}(?:click|confirm|verif|link)|(?:click|follow|visit).{0,80}to (?:have|ensure|confirm|verify)",
    r"confirm (?:that )?(?:you|your (?:message|e-?mail|address|identity|mail))|prove (?:that )?you|challenge.response",
    r"spam ?arrest|\btmda\b|boxbe|bluebottle|mailblocks|spamblocker|choicemail|vanquish|0spam|knowspam",  # by name
    r"(?:reply|respond) to this (?:e-?mail|message|mail) to (?:confirm|verify|release|deliver)|only once",
    r"(?:held|waiting|awaiting|awaits) .{0,40}(?:moderat|approv|confirm|verif|authori)|quarantine",  # moderation
    r"add(?:ed)? .{0,40}(?:allowed|approved|white|safe|guest) ?list|allowed list|whitelist",
)
_AUTO_REPLY_SUBJECTS = (
    r"^(?:re: *|aw: *)?auto(?:mat(?:ic|isch\w*|ique|ica|ed))?[- ]?(?:reply|response|answer|responder)",  # Outlook, Gmail
    r"out[- ]of[- ](?:the[- ])?office|\booo\b|vacation|away from|i am away|on leave|annual leave",  # English
    r"automatic (?:reply|response)|auto[- ]?(?:reply|response|respond)|auto-?ack|thank you for (?:your|contact)",
    r"abwesen|automatische antwort|nicht im (?:buro|haus)|urlaub",  # German
    r"reponse automatique|absence|absent du bureau|en conges",  # French
    r"respuesta automatica|fuera de (?:la )?oficina|resposta automatica|ausencia|fora do escritorio",  # Spanish, Portuguese
    r"risposta automatica|fuori (?:sede|ufficio)|automatisch antwoord|afwezig",  # Italian, Dutch
    r"автоответ|автоматический ответ|自動(?:返信|応答)|不在|自动(?:回复|答复)|自動回覆|부재|자동 ?응답",  # ru, ja, zh, ko
    r"autosvar|franvaro|automatyczna odpowiedz|nieobecn|automaticka odpoved",  # Nordic, Polish, Czech
)
# Matched against whole lines in lower case, without the rules and dashes around them.
_RETURNED_MESSAGE = (
    r"(?:this is|below (?:the next |this )?line is|enclosed is|attach\w* is|here is|below is) (?:a|the) copy of .*",
    (
        r"(?:the )?(?:headers? of the )?(?:your )?(?:original|returned|undelivered|unsent|source) (?:mail|message|e-?mail)"
        r"(?: text| headers?| body| data)?(?: is| as| are)?(?: received)?(?: is| as)?"
        r"(?: follow\w*| following| below| included| attached)*(?: \(.*)?"
    ),  # most
    r"(?:message|mail) headers? follow.*|forwarded message|old message",  # MailEnable, DragonFly, Yahoo
    r"(?:unsent|returned|old) (?:message|mail) (?:below|follows|headers).{0,40}",  # v5 Sendmail, usa.net
    r"the (?:first|header).{0,30}(?:lines )?of (?:your |the )?original message.*",  # hMailServer, MDaemon, Exim
    r"(?:mensaje|mensagem) original.*|(?:urspr.{1,2}ngliche|original)[- ]?(?:nachricht|mail).*",  # es, pt, de
    r"message (?:d'origine|original)|messaggio originale.*|(?:origineel|oorspronkelijk) bericht.*",  # fr, it, nl
    r"(?:received|return-path|dkim-signature|arc-seal|x-google-smtp-source|x-received):[ \t].*",  # its trace headers
)
# As above, for lines that begin with a rule.
_RULED_RETURNED_MESSAGE = (
    r"(?:start of )?(?:returned|original|(?:the )?header of the).{0,60}",  # Demon, JetMail, 1&1
    r"(?:original message|unsent message|message text|rfc822 message).*",  # LSMTP, Sendmail
)


def _any(rows: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{row})" for row in rows))


REPORTING_SENDER = _any(_SENDERS)
FAILURE_SUBJECT = _any(_FAILURE_SUBJECTS)
DELAY_SUBJECT = _any(_DELAY_SUBJECTS)
AUTO_REPLY_SUBJECT = _any(_AUTO_REPLY_SUBJECTS)
FINAL_WORDS = _any(_FINAL)
HARD_WORDS = _any(_HARD)
DELAY_WORDS = _any(_DELAY)
SUCCESS_WORDS = _any(_SUCCESS)
CHALLENGE_WORDS = _any(_CHALLENGE)
REFUSAL_LINE = re.compile(r"\b5[0-7]\d[ \-:]+(?:#?5\.\d{1,3}\.\d{1,3}|\S)|#5\.\d\.\d|\b5\.[0-7]\.\d{1,3}\b")
RETURNED_MESSAGE_FOLLOWS = _any(_RETURNED_MESSAGE)
RULED_RETURNED_MESSAGE_FOLLOWS = _any(_RULED_RETURNED_MESSAGE)
