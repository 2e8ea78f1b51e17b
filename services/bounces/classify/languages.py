"""How mail systems tell of failure and of delay in other languages than English: a literal table.

All rows are matched against folded text: lower case, Latin and Greek letters without accents, single spaces. Rows in
other scripts are only tried where the text has any.
"""
# ruff: noqa: E501, RUF001 - rows are data, and the languages of the world look alike

from __future__ import annotations

from typing import NamedTuple


class Language(NamedTuple):
    """Words for: not delivered; not delivered yet, and being tried on.

    Every one of them contains at least one of the `signs`: where none occurs, nothing need be searched.
    """

    signs: str
    failed: str
    delayed: str


_TABLE = {
    "German": Language(
        "stell liefer ubermitt geleitet sendet fehl verzog verspat versuch vorubergeh annahme",
        r"nicht (?:an .{1,80})?(?:zugestellt|zustell|ausgeliefert|ausliefern|zugeleitet|ubermittel|weitergeleitet werden|gesendet werden|versendet werden)|unzustellbar"
        r"|(?:zustell|sende|versand|ubermittl)\w*(?: \S+){0,3} \(?fehlgeschl|fehler bei der (?:nachrichten)?(?:zustellung|ubermittlung)"
        r"|zustell(?:ungs)?fehler|zustellung (?:ist |war )?nicht moglich|schlug(?:en)? fehl|nicht zustellbar|annahme verweigert|endgultig fehlgeschl",
        r"verzoger|verspatet|(?:weiter|erneut)\w* (?:versuch|zustell)|noch nicht (?:zugestellt|ausgeliefert|ubermittelt)"
        r"|vorubergehend\w* (?:problem|fehler|gestort)|versucht(?:e)? (?:es )?(?:noch|weiter)|weitere zustellversuche",
    ),
    "French": Language(
        "remis remettre delivr distribu livr achemin transm parven arrive echec retard differe tentativ encore retent temporair expedit impossible",
        r"(?:n'a|n'ont) (?:pas )?(?:pu|ete) (?:etre )?(?:delivr|remis|distribu|achemin|transmis|livr)|pas ete (?:delivr|remis|distribu|livr)"
        r"|impossible de (?:remettre|delivrer|distribuer|livrer|transmettre|vous)|echec (?:definitif )?(?:de |d')?(?:la |l')?(?:remise|distribution|livraison|envoi)"
        r"|n'a pas pu (?:remettre|delivrer)|n'est pas (?:parvenu|arrive)|non (?:remis|distribu|delivr|livr)|undelivrable|ne peut (?:pas )?etre (?:remis|delivr|distribu)"
        r"|message d'echec|retour a l'expediteur",
        r"retarde|remise differee|livraison differee|(?:nouvelle|autre)s? tentatives?|pas encore ete|sera retent|en retard|temporairement",
    ),
    "Spanish": Language(
        "entreg envi devuelt puede lleg encontr pudo retras demor seguir aun todav reintent temporal",
        r"no (?:se |ha |pudo |puede |podido |fue |pudieron )+(?:ser )?(?:entreg|envia)|no (?:pudo|puede) ser|no (?:se )?(?:ha )?(?:pudo|podido|entreg)"
        r"|no (?:llego|ha llegado|llegaron|han llegado)|no se encontro|devuelto|(?:fallo|error) (?:en |de |al )(?:la )?(?:entrega|envio|entregar|enviar)|imposible (?:de )?(?:entreg|envi)|no entregado|ha fallado la entrega",
        r"retrasad|demorad|se seguira|seguira intentando|aun no (?:se )?ha|todavia no|se reintentara|temporalmente",
    ),
    "Portuguese": Language(
        "entreg envi chego chega devolvid atras adiad tentat ainda tempor tentando",
        r"nao (?:pode|foi|pude|sera|e|puderam)(?: possivel)?(?: ser)?(?: entreg| enviad)|nao foi possivel (?:entreg|enviar)|nao entregue|nao e possivel entregar|nao (?:chegou|chegaram)"
        r"|falha (?:na|de|ao|no) (?:entreg|envi)|devolvid|erro (?:no|de|na|ao) (?:envi|entreg)",
        r"atrasad|adiad|continuara (?:a )?tentando|novas tentativas|ainda nao (?:foi|pode)|em atraso|temporariamente",
    ),
    "Italian": Language(
        "recap conseg raggiunt inviare ritard tentativ ancora ritentat tempor",
        r"non (?:e stato possibile|puo essere|e stat[oa]|ha potuto) ?(?:stat[oa] )?(?:recapit|consegn)|impossibile (?:recap|conseg|inviare)|non (?:recapitat|consegnat)"
        r"|non (?:ha|hanno) raggiunto|mancat[ao] (?:recapito|consegna)|(?:errore|errori) (?:di|nella|durante la) (?:recapito|consegna)|recapito non riuscito|consegna fallita",
        r"ritard|ulteriori tentativi|non e ancora stato|verra ritentat|nuovi tentativi|temporaneamente",
    ),
    "Catalan": Language(
        "lliura encara s'ha",
        r"no s'ha pogut (?:lliurar|entregar|enviar)|no lliurat|error de lliurament",
        r"lliurament endarrerit|encara no s'ha",
    ),
    "Romanian": Language(
        "livr trimis expediat intarzi inca",
        r"nu (?:a putut|poate|au putut|a fost|au fost) (?:fi )?(?:livrat|trimis|expediat)|imposibil de livrat|livrarea .{0,80}a esuat|nelivrat",
        r"livrarea .{0,60}intarzi|intarziat|nu a fost inca",
    ),
    "Dutch": Language(
        "gelever bezorg bereikt bestel afleve aangekomen verzond mislukt vertrag vertraa opnieuw prober",
        r"niet (?:\w+ )?(?:worden )?(?:afgeleverd|bezorgd|afleveren|bezorgen|aangekomen|verzonden)|onbestelbaar|kon(?:den)? niet .{0,60}(?:afgeleverd|bezorgd)"
        r"|(?:bezorg|afleve|levering|verzend)\w* .{0,80}mislukt|niet bezorgen|niet bereikt|niet bestelbaar",
        r"vertraag|vertraging|opnieuw (?:worden )?(?:geprobeerd|proberen)|nog niet (?:afgeleverd|bezorgd)|blijft proberen",
    ),
    "Swedish": Language(
        "inte lever misslyck forsen forsok",
        r"kunde inte (?:leverer|skick|nas)|kan inte levere|(?:levere|leverans)\w* .{0,60}misslyck|gick inte att (?:leverera|skicka)|inte levererats?\b|olevererbar",
        r"forsenad|forsenat|forsening|inte (?:har )?levererats annu|annu inte|fortsatter (?:att )?forsok|forsoken att leverera fortsatter",
    ),
    "Danish": Language(
        "ikke lever mislyk forsink prover forsog aflever",
        r"(?:kunne|kan) ikke (?:lever|afleve|sende)|lever\w* .{0,60}mislyk|mislykked\w* .{0,30}lever|ikke (?:afleveret|leveret)\b|uafleverbar",
        r"forsinke|endnu ikke|prover igen|fortsat forsog|forsog\w* .{0,30}fortsaet",
    ),
    "Norwegian": Language(
        "ikke lever mislyk forsink prover forsok",
        r"(?:kunne|kan) ikke (?:lever|sende)|lever\w* .{0,60}mislyk|ikke levert\b",
        r"forsinke|enna ikke|ikke .{0,20}levert enna|prover pa nytt|fortsetter .{0,20}forsok",
    ),
    "Finnish": Language(
        "ei toimit epaonn viiv yrit",
        r"ei (?:voitu|voi|voida|ole|pystytty|pystyta) ?(?:\w+ ){0,2}(?:toimit|lahet|perille)|toimit\w* .{0,80}epaonnistu|epaonnistu\w* .{0,40}toimit|lahetys epaonnistu",
        r"viivasty|viive|ei ole viela|yritetaan uudelleen|yrittamista jatketaan",
    ),
    "Icelandic": Language(
        "ekki tafi", r"(?:ekki tokst ad|ekki haegt ad|tokst ekki ad) (?:afhenda|senda)", r"tafi|enn ekki"
    ),
    "Polish": Language(
        "dostarcz dorecz wysla zwrot dotarl opozn jeszcze proby ponow tymczas",
        r"nie (?:mogla|moze|zostal[aoy]?|udalo|mozna|byl[ao]?|powiodl[ao]).{0,24}(?:dostarcz|doreczy|doreczon|wysla)|(?:dostarcz|dorecz)\w* .{0,90}nie powiodlo|nie ?(?:dostarcz|dorecz)on|niedostarcz|zwrot (?:wiadomosci|poczty)|blad (?:dostarcz|dorecz)|nie dotarl",
        r"opozni|jeszcze (?:nie )?(?:dostarcz|dorecz)|nie zostala jeszcze|proby (?:dostarcz|dorecz)\w* .{0,40}kontynu|ponowi|tymczasow",
    ),
    "Czech and Slovak": Language(
        "doruc vracen odesl zpozd opozd oneskor dosud zatial jeste pokracov",
        r"nelze (?:dorucit|odeslat)|ne(?:mohl|byl|mohla|bolo|bola)\w* .{0,30}doruc|doruc\w* .{0,90}(?:se )?nezdaril|ne?podaril\w* .{0,20}doruc|nedoruc|doruc\w* .{0,60}zlyhal|nie je mozne dorucit|chyba pri dorucov|vracen[yae] (?:e-?mail|zprav|post)",
        r"zpozd|opozd|oneskoren|dosud ne|zatial ne|jeste nebyl|pokusy o doruc\w* .{0,30}pokracov|bude pokracov",
    ),
    "Hungarian": Language(
        "kezbes kuldes kesi kesed kesle tovabbra",
        r"nem (?:sikerult|lehetett|lehet|volt|kerult) .{0,40}kezbesit|kezbesit\w* .{0,80}(?:sikertelen|meghiusult|nem sikerult)|(?:nem )?kezbesithetetlen|nem kezbesit|sikertelen .{0,30}(?:kezbesit|kuldes)",
        r"kesik|kesedelmes|kesleltet|meg nem .{0,20}kezbesit|tovabbra is .{0,30}(?:probal|kiserel)",
    ),
    "Estonian, Latvian, Lithuanian": Language(
        "toimeta edasta piegad pristat hiline viibi veel aizkav veluo neizdev vel",
        r"ei (?:saanud|saa|onnestunud) .{0,40}(?:toimetada|edastada)|(?:kattetoimetami|edastami)\w* .{0,40}(?:nurjus|ebaonnestus)"
        r"|(?:nevareja|neizdevas|nevar) .{0,30}piegad|piegad\w* .{0,40}neizdevas|(?:nepavyko|negalima|nebuvo) .{0,30}pristat|nepristatyt",
        r"(?:hiline|viibi)b|pole veel|aizkav|vel nav|veluoja|dar nepristat",
    ),
    "Turkish": Language(
        "teslim ilet ulastir gonder gecik deneme denen henuz",
        r"teslim (?:edilem|basarisiz)|(?:teslim|ilet)\w* .{0,40}basarisiz|iletilem|ulastirilam|gonderilem",
        r"gecik|henuz (?:teslim|iletil)|denemeye devam|yeniden denen",
    ),
    "Slovenian, Croatian, Bosnian, Serbian": Language(
        "dosta isporu posla zakasn odgod kasni jos",
        r"ni (?:bilo )?(?:mogoce|mogla) (?:dostav|poslati)|(?:nije|nisu) (?:bilo )?(?:moguce|mogla|uspjel[aoi]|uspel[aoi]) .{0,20}(?:isporuc|dostav|posla)|(?:isporuk|dostav)\w* .{0,60}(?:nije|ni) (?:uspje|uspe)|neisporuc|nije (?:isporuc|dostavlj)",
        r"zakasn|odgoden|kasni|se ni (?:bilo )?dostav|jos (?:uvijek )?nije",
    ),
    "Albanian": Language("dorez derg vonua", r"nuk (?:mund|u) .{0,20}(?:dorez|derg)", r"vonuar"),
    "Indonesian, Malay": Language(
        "kirim hantar sampai tunda mencoba",
        r"(?:tidak|gagal|tak) (?:dapat |bisa )?(?:di)?(?:kirim|hantar|terkirim|sampai)|pengiriman .{0,40}gagal|gagal (?:mengirim|menghantar)|tidak terkirim|tidak dapat dikirim",
        r"pengiriman .{0,30}(?:tertunda|ditunda)|belum (?:ter)?(?:kirim|sampai)|akan mencoba",
    ),
    "Vietnamese": Language(
        "khong gui chuyen giao hoan chua",
        r"khong the (?:gui|chuyen|phat|giao)|(?:gui|chuyen|giao)\w* .{0,40}(?:khong thanh cong|that bai)|khong (?:gui|chuyen) duoc|khong duoc (?:gui|chuyen)",
        r"bi (?:tri )?hoan|chua (?:duoc )?(?:gui|chuyen)|se (?:tiep tuc )?thu lai",
    ),
    "Welsh": Language(
        "danfon dosbarth ddosb anfon cyflwyn chyflwyn dyfarnu oedi ohirio geisio",
        r"(?:nid oedd modd|ni fu modd|nid yw'n bosibl|methwyd|methodd|methu|wedi methu)(?: a| â)? .{0,30}(?:danfon|dosbarthu|cyflwyno|anfon|chyflwyno|dyfarnu)|heb ei (?:ddanfon|dosbarthu|ddosbarthu)\b(?! eto)",
        r"\boedi|wedi'i ohirio|heb ei (?:d?danfon|d?dosbarthu) eto|parhau i geisio",
    ),
    "Irish": Language(
        "seachad moill", r"nior? feidir .{0,30}(?:a sheachadadh|seachad)|theip ar .{0,20}seachad", r"moill ar"
    ),
    "Esperanto": Language("eblis prokrast", r"ne eblis (?:liveri|sendi)", r"prokrast"),
}
_OTHER_SCRIPTS = {
    "Russian": Language(
        "",
        r"не (?:может быть|может|могло быть|могут быть|удалось|удаётся|удается|было|была|был)(?: \w+){0,2} ?(?:доставл|доставк|отправл|передан)|не удалось (?:\w+ )?достав|не ?достав(?:л?ен|им)|не удается достав"
        r"|невозможно (?:было )?доставить|не удалось отправить|почтовый ящик .{0,30}не (?:существует|найден)|возвращ|ошибка (?:при )?доставк|доставка .{0,60}(?:невозможна|не удалась)|сбой доставки",
        r"задерж|отложен|попытки доставки .{0,20}продолж|ещ[её] не (?:был[оа]? )?доставлен|повторн\w+ попыт|продолж\w+ попытк|временн\w+ (?:ошибк|сбо|проблем)",
    ),
    "Ukrainian, Belarusian": Language(
        "",
        r"не вдалося .{0,20}(?:достав|надісл)|не ?доставлено|неможливо доставити|не може бути доставлен|помилка доставк|не атрымалася даставіць",
        r"затрим|відкладен|ще не (?:було )?доставлен|повторн\w+ спроб",
    ),
    "Bulgarian, Serbian, Macedonian": Language(
        "",
        r"не може да бъде (?:достав|изпрат)|не (?:беше|бе) доставен|неуспешн\w+ (?:доставк|доставян)|доставянето .{0,60}неуспешно|не можеше да (?:биде|бъде) достав|није (?:могу[ћч]е|испору[чћ])",
        r"забав|закъсн|отлож|все още не",
    ),
    "Greek": Language(
        "",
        r"απετυχε|δεν (?:ηταν δυνατη|ειναι δυνατη|μπορ\w+|παραδοθηκε|κατεστη δυνατη).{0,40}(?:παραδο|αποστολ)?|αποτυχια (?:παραδοσης|αποστολης)|αδυνατη η παραδοση",
        r"καθυστερ|δεν εχει παραδοθει ακομ|θα γινει νεα προσπαθεια",
    ),
    "Japanese": Language(
        "",
        r"(?:配信|送信|配送|お届け|転送|配達)(?:することが|が|は)?でき(?:ません|なかった|ず)|(?:配信|送信|配送)(?:不能|されませんでした|されない)|届(?:きません|けられません|けできません|けることができません|かなかった)"
        r"|(?:送信|配信|配送|配達|送達)(?:に|が)?失敗|宛先.{0,12}(?:存在|見つかり|不明|誤)|エラーが発生|(?:送信|配信|配送|宛先|メール)エラー|不達|返送|(?:あて|宛)先不明|戻り?(?:ました|まし)|受け?取(?:りが)?拒否",
        r"遅延|遅れて|(?:再送|再配信|再送信|配信)を(?:続け|行い|試み)|自動的に再|まだ(?:配信|配送|送信|届)|引き続き|しばらく(?:して|後に)再",
    ),
    "Chinese": Language(
        "",
        r"(?:[无無]法|不能|未能|没能|未)(?:被|向.{1,40})?(?:投[递遞]|送[达達]|[发發]送|[传傳][送递遞]|寄[达達出]|成功)|(?:投[递遞]|[发發]送|[传傳]送|[传傳][递遞]|寄送).{0,4}失[败敗]"
        r"|被?退[回信]|退件|(?:收件人|用[户戶]|[邮郵]箱|地址).{0,40}不存在|收不到",
        r"延[迟遲误誤]|[将將会會](?:继续|繼續|自[动動])?(?:重[试試]|[尝嘗][试試])|[继繼][续續](?:[尝嘗][试試]|投[递遞])|尚未(?:送[达達]|投[递遞])|稍[后後]重",
    ),
    "Korean": Language(
        "",
        r"(?:전송|배달|발송|전달|송신)(?:되지|하지|할 수|에|을|를|이|가)? ?(?:실패|못했|못하|않|없)|(?:전송|배달|발송|전달) ?(?:실패|불가|오류)|존재하지 않|반송|받는 사람.{0,20}찾을 수 없",
        r"지연|재시도|다시 시도|아직 (?:배달|전송|전달)",
    ),
    "Hebrew": Language(
        "",
        r"לא (?:ניתן (?:היה )?)?(?:למסור|להעביר|נמסר|לשלוח)|(?:מסיר|שליח|העבר)\S* .{0,60}נכשל|נכשלה",
        r"עיכוב|מתעכב|התעכב|עדיין לא",
    ),
    "Arabic, Persian": Language(
        "",
        r"(?:فشل|تعذر|تعذّر) ?(?:في )?(?:تسليم|إرسال|توصيل|التسليم)|لم يتم (?:تسليم|إرسال|توصيل)|غير قابل(?:ة)? للتسليم|تحویل .{0,20}(?:نشد|ناموفق)",
        r"تأخ|تأجيل|تاخیر|لم يتم .{0,20}بعد",
    ),
    "Thai": Language("", r"ไม่สามารถ(?:ส่ง|นำส่ง|จัดส่ง)|(?:การ)?(?:ส่ง|จัดส่ง).{0,40}(?:ล้มเหลว|ไม่สำเร็จ)", r"ล่าช้า|จะพยายาม"),
    "Hindi": Language("", r"(?:डिलीवर|वितरित|वितरण|भेजा).{0,30}(?:नहीं|विफल|असफल)", r"विलंब|देरी"),
    "Georgian, Armenian": Language("", r"ვერ (?:მიეწოდა|გაიგზავნა|მოხერხდა)|չհաջողվեց|չի առաքվել", r"შეფერხ|հետաձգ"),
}

FAILED = tuple((each.signs, each.failed) for each in _TABLE.values())
DELAYED = tuple((each.signs, each.delayed) for each in _TABLE.values())
FAILED_IN_OTHER_SCRIPTS = tuple(each.failed for each in _OTHER_SCRIPTS.values())
DELAYED_IN_OTHER_SCRIPTS = tuple(each.delayed for each in _OTHER_SCRIPTS.values())
