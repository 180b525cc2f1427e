package reply

// disclaimerWords are what the paragraphs that companies and virus scanners put below every mail begin with, in lower case.
// After one of alone a paragraph is a disclaimer whatever follows; after one of begins it is when it has two of has.
var disclaimerWords = []struct {
	language           string
	alone, begins, has []string
}{
	{
		language: "English",
		alone: []string{
			"confidentiality notice", "disclaimer", "legal notice", "please consider the environment",
			"please think of the environment", "before printing", "this email has been checked for viruses", "virus-free",
			"privileged and confidential", "privileged/confidential", "if you are not the intended recipient",
			"if you have received this", "caution: this email originated", "registered office:", "registered in england",
		},
		begins: []string{
			"confidential:", "this e-mail and any", "this email and any", "this message and any", "this e-mail message and any",
			"this email message and any", "this communication is confidential", "this communication, including",
			"the information contained in this", "the information in this e-mail", "the information in this email",
			"the contents of this e-mail", "the contents of this email", "the content of this email", "this electronic message",
			"this transmission", "this email has been scanned", "this e-mail has been scanned", "this email is confidential",
			"this e-mail is confidential", "this message is confidential", "this message contains confidential",
			"this email contains confidential", "this e-mail contains confidential", "this email may contain",
			"this e-mail may contain", "this message may contain", "this email is intended", "this e-mail is intended",
			"this message is intended", "notice: this email", "notice: this e-mail", "important notice:",
		},
		has: []string{
			"intended recipient", "confidential", "privileged", "in error", "delete", "notify the sender", "unauthorized",
			"unauthorised", "disseminat", "strictly prohibited", "solely for", "addressee", "virus", "liability", "legally",
		},
	},
	{
		language: "German",
		alone: []string{
			"vertraulichkeitshinweis", "haftungsausschluss", "bitte denken sie an die umwelt", "bitte prüfen sie, ob diese",
		},
		begins: []string{
			"diese e-mail enthält", "diese email enthält", "diese nachricht enthält", "diese e-mail und", "der inhalt dieser e-mail",
			"diese e-mail ist vertraulich", "der austausch von nachrichten", "diese e-mail wurde von avast",
			"diese e-mail wurde auf viren", "die in dieser e-mail", "virenfrei", "hinweis: diese e-mail",
		},
		has: []string{
			"vertraulich", "rechtlich geschützt", "irrtümlich", "vernichten", "bestimmungsgemäße", "unbefugt", "nicht gestattet",
			"absender", "empfänger", "adressat",
		},
	},
	{
		language: "French",
		alone: []string{
			"avis de confidentialité", "pensez à l'environnement", "pensez à l’environnement", "avant d'imprimer",
			"avant d’imprimer", "l'absence de virus", "sans virus",
		},
		begins: []string{
			"ce message et", "ce courriel et", "ce mail et", "ce message est confidentiel", "ce courriel est confidentiel",
			"ce message contient", "ce message électronique", "les informations contenues dans ce", "ce courrier électronique",
			"cet e-mail et",
		},
		has: []string{
			"confidentiel", "destinataire", "par erreur", "détruire", "expéditeur", "interdite", "pièces jointes", "intégrité",
		},
	},
	{
		language: "Spanish",
		alone: []string{
			"aviso de confidencialidad", "aviso legal", "antes de imprimir", "libre de virus", "cláusula de confidencialidad",
		},
		begins: []string{
			"este mensaje y", "este correo", "este mensaje contiene", "este mensaje se dirige", "la información contenida en este",
			"el contenido de este", "este e-mail",
		},
		has: []string{
			"confidencial", "destinatario", "por error", "elimin", "prohibid", "remitente", "privilegiada", "adjuntos",
		},
	},
	{
		language: "Portuguese",
		alone: []string{
			"aviso de confidencialidade", "aviso legal", "antes de imprimir",
		},
		begins: []string{
			"esta mensagem", "este e-mail e", "as informações contidas", "o conteúdo desta", "livre de vírus",
		},
		has: []string{
			"confidencia", "destinatário", "por engano", "apague", "proibid", "remetente", "privilegiada", "anexos",
		},
	},
	{
		language: "Italian",
		alone: []string{
			"avvertenze ai sensi", "prima di stampare", "nota di riservatezza", "mail priva di virus",
		},
		begins: []string{
			"questo messaggio", "questa e-mail", "le informazioni contenute", "il contenuto di questa", "ai sensi del",
			"questo documento è", "informativa",
		},
		has: []string{
			"riservat", "destinatari", "per errore", "distrugg", "vietat", "mittente", "confidenzial", "allegati",
		},
	},
	{
		language: "Dutch",
		alone: []string{
			"denk aan het milieu", "disclaimer",
		},
		begins: []string{
			"dit bericht", "dit e-mailbericht", "deze e-mail", "de informatie in dit", "de informatie verzonden",
			"de inhoud van deze",
		},
		has: []string{
			"vertrouwelijk", "geadresseerde", "ten onrechte", "vernietig", "afzender", "bestemd voor", "aansprakelijk",
			"openbaarmaking",
		},
	},
	{
		language: "Danish",
		alone: []string{
			"tænk på miljøet",
		},
		begins: []string{
			"denne e-mail", "denne mail",
		},
		has: []string{
			"fortrolig", "modtager", "ved en fejl", "slet", "afsender",
		},
	},
	{
		language: "Norwegian",
		alone: []string{
			"tenk på miljøet",
		},
		begins: []string{
			"denne e-posten",
		},
		has: []string{
			"konfidensiell", "mottaker", "ved en feil", "slett", "avsender",
		},
	},
	{
		language: "Swedish",
		alone: []string{
			"tänk på miljön",
		},
		begins: []string{
			"detta meddelande", "detta e-post",
		},
		has: []string{
			"konfidentiell", "mottagare", "av misstag", "radera", "avsändare",
		},
	},
	{
		language: "Finnish",
		begins: []string{
			"tämä viesti", "tämä sähköposti",
		},
		has: []string{
			"luottamuksellinen", "vastaanottaja", "vahingossa", "poist", "lähettäjä",
		},
	},
	{
		language: "Polish",
		alone: []string{
			"klauzula poufności", "zanim wydrukujesz", "przed wydrukowaniem",
		},
		begins: []string{
			"ta wiadomość", "niniejsza wiadomość", "treść tej wiadomości", "wiadomość ta", "informacje zawarte", "niniejszy e-mail",
			"wolny od wirusów",
		},
		has: []string{
			"poufn", "adresat", "omyłkow", "usun", "nadawc", "zabronion", "zastrzeżon",
		},
	},
	{
		language: "Czech",
		begins: []string{
			"tato zpráva", "tento e-mail", "obsah této zprávy", "informace obsažené",
		},
		has: []string{
			"důvěrn", "adresát", "omylem", "odesílatel", "smaž",
		},
	},
	{
		language: "Hungarian",
		begins: []string{
			"ez az üzenet", "ez az e-mail", "jelen üzenet", "jelen e-mail",
		},
		has: []string{
			"bizalmas", "címzett", "tévedésből", "feladó", "töröl",
		},
	},
	{
		language: "Turkish",
		alone: []string{
			"yasal uyarı",
		},
		begins: []string{
			"bu e-posta", "bu elektronik posta", "bu mesaj",
		},
		has: []string{
			"gizli", "alıcı", "yanlışlıkla", "gönderen", "siliniz",
		},
	},
	{
		language: "Russian",
		alone: []string{
			"без вирусов",
		},
		begins: []string{
			"это сообщение", "данное сообщение", "настоящее сообщение", "данное электронное", "информация, содержащаяся",
			"внимание! это",
		},
		has: []string{
			"конфиденциальн", "получател", "по ошибке", "отправител", "удалит", "запрещен",
		},
	},
	{
		language: "Ukrainian",
		begins: []string{
			"це повідомлення", "дане повідомлення",
		},
		has: []string{
			"конфіденційн", "одержувач", "помилково", "відправник", "видал",
		},
	},
	{
		language: "Chinese",
		alone: []string{
			"声明：", "免责声明", "保密声明",
		},
		begins: []string{
			"本邮件及其附件", "本電子郵件", "本邮件", "本信件", "此邮件", "此電子郵件",
		},
		has: []string{
			"保密", "收件人", "收件者", "误收", "誤收", "删除", "刪除", "发件人",
		},
	},
	{
		language: "Japanese",
		begins: []string{
			"このメールは", "本メール", "このメールに", "この電子メール", "本電子メール",
		},
		has: []string{
			"機密", "受信者", "誤って", "削除", "送信者", "守秘",
		},
	},
	{
		language: "Korean",
		begins: []string{
			"본 메일", "이 메일", "본 이메일", "이 전자우편", "본 전자우편", "이 메시지",
		},
		has: []string{
			"기밀", "수신인", "수신자", "잘못", "삭제", "발신자",
		},
	},
	{
		language: "Hebrew",
		begins: []string{
			"הודעה זו", "המידע הכלול",
		},
		has: []string{
			"סודי", "הנמען", "בטעות", "למחוק",
		},
	},
	{
		language: "Arabic",
		alone: []string{
			"إخلاء مسؤولية",
		},
		begins: []string{
			"هذه الرسالة", "هذا البريد",
		},
		has: []string{
			"سرية", "المرسل إليه", "بالخطأ", "حذف",
		},
	},
}
