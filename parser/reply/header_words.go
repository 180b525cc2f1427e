package reply

// field is what a line of a header block tells.
type field uint8

const (
	fieldNone field = iota
	fieldFrom
	fieldSent // a date, under the name that says of a mail that it was sent
	fieldDate
	fieldTo
	fieldSubject
	fieldOther // Cc, Reply-To, importance, attachments: belongs to the block and proves nothing
)

// headerWords are the names of fields in the header blocks that mail programs write above an answered or a forwarded mail,
// in lower case. The first name is that of Outlook; that of the date says "sent", which is said of mail only.
var headerWords = []struct {
	language                       string
	from, date, to, subject, other []string
}{
	{"English", []string{"from", "sender"}, []string{"sent", "date", "sent on", "received", "posted at", "when", "date sent"},
		[]string{"to", "sent to", "recipients"}, []string{"subject", "re"},
		[]string{"cc", "bcc", "reply-to", "reply to", "importance", "priority", "attachments", "attach", "sensitivity", "organization",
			"newsgroups", "categories", "resent-from", "message-id", "x-mailer"}},
	{"German", []string{"von", "absender", "gesendet von"}, []string{"gesendet", "datum", "gesendet am"}, []string{"an", "empfänger"},
		[]string{"betreff", "betrifft", "thema"}, []string{"kopie", "antwort an", "wichtigkeit", "priorität", "anlagen", "antworten an"}},
	{"French", []string{"de", "expéditeur", "de la part de"}, []string{"envoyé", "date", "envoyé le", "envoyé à"}, []string{"à", "a", "destinataire", "pour"},
		[]string{"objet", "sujet"}, []string{"copie", "copie à", "répondre à", "importance", "pièces jointes", "cci"}},
	{"Spanish", []string{"de", "remitente"}, []string{"enviado", "fecha", "enviado el", "enviada", "enviado a las"}, []string{"para", "a", "destinatario"},
		[]string{"asunto"}, []string{"responder a", "importancia", "cco", "datos adjuntos"}},
	{"Portuguese", []string{"de", "remetente"}, []string{"enviado", "data", "enviada em", "enviado em", "enviada", "data de envio"},
		[]string{"para", "destinatário"}, []string{"assunto"}, []string{"prioridade", "anexos", "responder a"}},
	{"Italian", []string{"da", "mittente"}, []string{"inviato", "data", "inviato il", "inviata"}, []string{"a", "destinatario"}, []string{"oggetto"},
		[]string{"risposta", "rispondi a", "priorità", "allegati", "ccn"}},
	{"Catalan", []string{"de", "remitent"}, []string{"enviat el", "data", "enviat"}, []string{"per a", "a"}, []string{"tema", "assumpte"}, nil},
	{"Romanian", []string{"de la", "expeditor"}, []string{"trimis", "data", "dată", "trimis la"}, []string{"către", "catre", "la"}, []string{"subiect"}, nil},
	{"Dutch", []string{"van", "afzender"}, []string{"verzonden", "datum", "verzonden op", "verstuurd"}, []string{"aan"}, []string{"onderwerp"},
		[]string{"urgentie", "bijlagen", "antwoord aan"}},
	{"Danish", []string{"fra"}, []string{"sendt", "dato", "sendt den"}, []string{"til"}, []string{"emne"}, []string{"svar til", "vedhæftede filer"}},
	{"Norwegian", []string{"fra"}, []string{"sendt", "dato"}, []string{"til"}, []string{"emne"}, []string{"kopi", "vedlegg"}},
	{"Swedish", []string{"från", "avsändare"}, []string{"skickat", "datum", "skickades", "skickat den"}, []string{"till"}, []string{"ämne", "angående"},
		[]string{"prioritet", "svar till"}},
	{"Icelandic", []string{"frá"}, []string{"sent", "dagsetning"}, []string{"til"}, []string{"efni"}, nil},
	{"Finnish", []string{"lähettäjä"}, []string{"lähetetty", "päivämäärä", "päiväys", "pvm"}, []string{"vastaanottaja", "vast.ott"}, []string{"aihe"},
		[]string{"kopio"}},
	{"Estonian", []string{"saatja", "kellelt"}, []string{"saadetud", "kuupäev"}, []string{"adressaat", "saaja", "kellele"}, []string{"teema"}, []string{"koopia"}},
	{"Latvian", []string{"no"}, []string{"nosūtīts", "datums"}, []string{"kam"}, []string{"tēma", "temats"}, nil},
	{"Lithuanian", []string{"nuo", "siuntėjas"}, []string{"išsiųsta", "data"}, []string{"kam", "gavėjas"}, []string{"tema"}, []string{"kopija"}},
	{"Polish", []string{"od", "nadawca"}, []string{"wysłano", "data", "wysłane", "wysłany", "data wysłania"}, []string{"do", "adresat", "odbiorca"},
		[]string{"temat"}, []string{"dw", "do wiadomości", "udw", "odpowiedz do", "ważność"}},
	{"Czech", []string{"od", "odesílatel"}, []string{"odesláno", "datum", "odeslaná", "posláno"}, []string{"komu", "pro"}, []string{"předmět"},
		[]string{"kopie", "důležitost"}},
	{"Slovak", []string{"od", "odosielateľ"}, []string{"odoslané", "dátum", "poslané"}, []string{"komu", "pre"}, []string{"predmet"}, []string{"kópia"}},
	{"Slovene", []string{"od", "pošiljatelj"}, []string{"poslano", "datum"}, []string{"za", "prejemnik"}, []string{"zadeva"}, nil},
	{"Croatian", []string{"od", "šalje"}, []string{"poslano", "datum", "poslato"}, []string{"za", "prima"}, []string{"predmet", "naslov"}, nil},
	{"Serbian", []string{"од", "шаље"}, []string{"послато", "датум"}, []string{"за", "коме"}, []string{"тема", "наслов"}, nil},
	{"Hungarian", []string{"feladó", "küldő"}, []string{"elküldve", "dátum", "küldve"}, []string{"címzett", "címzettek"}, []string{"tárgy"},
		[]string{"másolatot kap", "másolat"}},
	{"Turkish", []string{"kimden", "gönderen"}, []string{"gönderildi", "tarih", "gönderilme", "gönderme tarihi"}, []string{"kime", "alıcı"}, []string{"konu"},
		[]string{"bilgi"}},
	{"Greek", []string{"από", "αποστολέας"}, []string{"στάλθηκε", "ημερομηνία", "εστάλη", "απεστάλη"}, []string{"προς", "παραλήπτης"}, []string{"θέμα"},
		[]string{"κοιν", "κοινοποίηση"}},
	{"Albanian", []string{"nga"}, []string{"dërguar", "data"}, []string{"për"}, []string{"subjekti", "tema"}, nil},
	{"Russian", []string{"от", "от кого", "отправитель"}, []string{"отправлено", "дата", "послано", "отправлен"}, []string{"кому", "получатель"},
		[]string{"тема"}, []string{"копия", "важность", "вложения"}},
	{"Ukrainian", []string{"від", "від кого", "відправник"}, []string{"надіслано", "дата", "відправлено"}, []string{"кому"}, []string{"тема"}, []string{"копія"}},
	{"Bulgarian", []string{"от", "подател"}, []string{"изпратено", "дата"}, []string{"до", "към", "получател"}, []string{"относно", "тема"}, nil},
	{"Vietnamese", []string{"từ", "người gửi"}, []string{"đã gửi", "ngày", "ngày gửi", "gửi", "đã gửi vào"}, []string{"đến", "tới", "người nhận"},
		[]string{"chủ đề", "tiêu đề"}, nil},
	{"Indonesian", []string{"dari", "pengirim"}, []string{"dikirim", "tanggal", "terkirim"}, []string{"kepada", "ke", "untuk"}, []string{"perihal", "subjek", "judul"}, nil},
	{"Malay", []string{"daripada"}, []string{"dihantar", "tarikh"}, []string{"kepada"}, []string{"subjek", "perkara"}, nil},
	{"Thai", []string{"จาก", "ผู้ส่ง"}, []string{"ส่ง", "วันที่", "ส่งเมื่อ"}, []string{"ถึง"}, []string{"เรื่อง", "หัวข้อ"}, []string{"สำเนา", "สำเนาถึง"}},
	{"Hindi", []string{"से", "प्रेषक", "द्वारा"}, []string{"भेजा गया", "दिनांक", "तारीख"}, []string{"को", "प्रति"}, []string{"विषय"}, nil},
	{"Hebrew", []string{"מאת", "שולח"}, []string{"נשלח", "תאריך", "נשלח ב"}, []string{"אל", "אל ה"}, []string{"נושא"}, []string{"עותק", "העתק"}},
	{"Arabic", []string{"من", "المرسل"}, []string{"تم الإرسال", "تاريخ", "التاريخ", "تاريخ الإرسال", "أرسلت"}, []string{"إلى", "الى", "المرسل إليه"},
		[]string{"الموضوع", "موضوع"}, []string{"نسخة", "نسخة إلى"}},
	{"Persian", []string{"از", "فرستنده"}, []string{"ارسال شده", "تاریخ", "ارسال"}, []string{"به", "گیرنده"}, []string{"موضوع"}, []string{"رونوشت"}},
	{"Chinese", []string{"发件人", "寄件者", "寄件人", "發件人", "发送人", "发信人", "發信人"},
		[]string{"发送时间", "寄件日期", "日期", "发送日期", "傳送時間", "时间", "時間", "發送時間", "发件时间", "已发送", "傳送日期", "已傳送"},
		[]string{"收件人", "收件者", "至"}, []string{"主题", "主旨", "主題", "标题"}, []string{"抄送", "副本", "密送", "附件", "抄送人", "重要性", "回复", "副本抄送"}},
	{"Japanese", []string{"差出人", "送信者", "送信元"}, []string{"送信日時", "日時", "日付", "送信日", "受信日時", "送信"}, []string{"宛先", "受信者", "to宛"}, []string{"件名"},
		[]string{"添付ファイル", "重要度", "返信先"}},
	{"Korean", []string{"보낸 사람", "보낸사람", "발신", "발신자", "보낸이"}, []string{"보낸 날짜", "보낸날짜", "날짜", "일시", "보냄", "전송일", "발신일시", "받은날짜"},
		[]string{"받는 사람", "받는사람", "수신", "수신자", "받는이"}, []string{"제목"}, []string{"참조", "첨부", "숨은참조"}},
}
