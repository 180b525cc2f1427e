package reply_test

import (
	"testing"

	"github.com/letterhook/letterhook/parser/reply"
)

// phones are the lines of more programs, in more languages.
var phones = []string{
	"Sent from Outlook for iOS<https://aka.ms/o0ukef>", "Outlook für iOS<https://aka.ms/o0ukef> beziehen", "Holen Sie sich Outlook für iOS<https://aka.ms/o0ukef>", "Gesendet von Outlook für iOS<https://aka.ms/o0ukef>",
	"Obtenir Outlook pour iOS<https://aka.ms/o0ukef>", "Télécharger Outlook pour Android<https://aka.ms/ghei36>", "Obtener Outlook para iOS<https://aka.ms/o0ukef>", "Enviado desde Outlook para Android<https://aka.ms/AAb9ysg>",
	"Scarica Outlook per Android<https://aka.ms/ghei36>", "Outlook voor iOS downloaden<https://aka.ms/o0ukef>", "Verkrijg Outlook voor Android<https://aka.ms/ghei36>", "Obter o Outlook para iOS<https://aka.ms/o0ukef>",
	"Pobierz aplikację Outlook dla systemu iOS<https://aka.ms/o0ukef>", "Skaffa Outlook för iOS<https://aka.ms/o0ukef>", "Hent Outlook til iOS<https://aka.ms/o0ukef>", "Få Outlook for Android<https://aka.ms/ghei36>", "Hanki Outlook for iOS<https://aka.ms/o0ukef>",
	"Получить Outlook для iOS<https://aka.ms/o0ukef>", "Outlook for iOS を入手<https://aka.ms/o0ukef>", "iOS 版 Outlook を入手<https://aka.ms/o0ukef>", "获取 Outlook for iOS<https://aka.ms/o0ukef>", "下载 Outlook for Android<https://aka.ms/ghei36>", "取得 iOS 版 Outlook<https://aka.ms/o0ukef>",
	"Outlook for iOS 다운로드<https://aka.ms/o0ukef>", "iOS için Outlook'u edinin<https://aka.ms/o0ukef>", "Stáhnout Outlook pro iOS<https://aka.ms/o0ukef>", "Outlook beszerzése Android rendszerhez<https://aka.ms/ghei36>", "Λήψη του Outlook για iOS<https://aka.ms/o0ukef>", "השג את Outlook עבור iOS<https://aka.ms/o0ukef>",
	"Sent from my Galaxy", "Sent from my Samsung Galaxy smartphone.", "Von meinem/meiner Galaxy gesendet", "Envoyé depuis mon appareil Galaxy", "Enviado desde mi Galaxy", "Inviato dal mio Galaxy", "Verzonden vanaf mijn Galaxy", "Wysłane z mojego Galaxy", "Отправлено с моего Galaxy", "Gesendet von meinem Samsung Galaxy-Smartphone.",
	"Sent from Samsung Mobile", "Sent from my HUAWEI phone", "发自我的华为手机", "发自我的小米手机", "Sent from Yahoo Mail for iPhone", "Sent from AOL on Android", "Sent from Mail.ru app for Android", "Sent from Gmail Mobile", "Gesendet mit BlueMail", "Sent with Spark", "Sent from Proton Mail for iOS", "Sent from Proton Mail Android",
	"Envoyé avec Proton Mail", "Gesendet mit Proton Mail", "Sent from Workspace ONE Boxer", "Sent from Nine", "Sent from myMail for iOS", "Sent from Edison Mail", "Sent via Superhuman", "Sent with Tutanota", "Gesendet mit der WEB.DE iPhone App", "Diese Nachricht wurde von meinem Android-Gerät mit K-9 Mail gesendet.",
	"Sent from my Android device with K-9 Mail. Please excuse my brevity.", "Envoyé de mon appareil Android avec Courriel K-9 Mail. Veuillez excuser ma brièveté.", "Von meinem iPad gesendet", "Télécharger BlueMail pour Android", "Get BlueMail for Android", "Sent from my iPad Pro", "Sent from my Pixel 7", "Sent from my OnePlus", "Sent from my mobile", "Sent from my phone", "Sent from Windows Mail", "Sent from Mail for Windows 10",
	"Enviado desde mi Huawei", "Enviado do meu smartphone Samsung Galaxy.", "Inviato da smartphone Samsung Galaxy.", "Odoslané z Galaxy", "Odesláno z mého zařízení Galaxy", "Trimis din Yahoo Mail pe Android", "Küldve a Yahoo Mail appból Androidon", "Enviado desde Yahoo Mail para iPhone", "Envoyé à partir de Yahoo Mail pour iPhone", "Gesendet von Yahoo Mail auf Android", "Inviato da Yahoo Mail per iPhone", "Yahoo Mail: Search, Organize, Conquer",
	"Enviado desde Yahoo Mail con Android", "Yahoo メール（iPhone）から送信", "Gửi từ iPhone của tôi", "iPhone'umdan gönderildi", "Skickat från min Samsung-enhet", "Sendt fra min iPad", "Lähetetty laitteesta Galaxy", "Надіслано з мого iPhone", "Отправлено с iPhone", "Пользователь отправил с iPhone", "Wysłano z iPhone’a", "Αποστολή από το iPhone μου",
	"Sent from Fastmail", "Sent from Hey", "Sent from Zoho Mail", "Sent using Zoho Mail", "Sent with Proton Mail secure email.", "Sent with ProtonMail Secure Email.", "Sent from my BlackBerry 10 smartphone on the Rogers network.", "Sent via BlackBerry from T-Mobile", "Von meinem Telefon gesendet", "Envoyé de mon téléphone", "Sent from Canary<https://canarymail.io>", "Sent from Airmail for Mac", "Sent from Thunderbird Mobile", "Sent with Thunderbird for Android. Please excuse my brevity.",
}

func TestPhones(t *testing.T) {
	for _, line := range phones {
		r := reply.Split("Yes, that is fine.\n\n" + line + "\n")
		if last := r.Segments[len(r.Segments)-1]; last.Type != reply.TypeSignature {
			t.Errorf("%q is taken for %s", line, last.Type)
		}
	}
}

// What programs on phones and companies put below a mail, in many languages.
func TestFooters(t *testing.T) {
	footers := map[reply.Type][]string{
		reply.TypeSignature: {
			"Sent from my iPhone", "Sent from my Galaxy S21, please excuse typos.", "Sent from Yahoo Mail on Android", "Get Outlook for iOS<https://aka.ms/o0ukef>",
			"Sent from Mail for Windows", "Sent with Proton Mail secure email.", "Von meinem iPhone gesendet", "Gesendet mit der GMX Mail App", "Envoyé de mon iPhone",
			"Envoyé depuis mon téléphone mobile Samsung.", "Enviado desde mi iPhone", "Enviado do meu iPhone", "Inviato da iPhone", "Verstuurd vanaf mijn iPhone",
			"Sendt fra min iPhone", "Skickat från min iPhone", "Lähetetty iPhonesta", "Wysłane z iPhone'a", "Odesláno z iPhonu", "Odoslané z iPhonu",
			"iPhone'umdan gönderildi", "Στάλθηκε από το iPhone μου", "Отправлено с iPhone", "Отправлено из мобильной Почты Mail.ru", "Надіслано з iPhone", "Изпратено от iPhone",
			"Trimis de pe iPhone", "Elküldve az iPhone-omról", "Đã gửi từ iPhone của tôi", "Dikirim dari iPhone saya", "נשלח מה-iPhone שלי", "أرسلت من الـ iPhone", "发自我的iPhone",
			"從我的 iPhone 傳送", "iPhoneから送信", "나의 iPhone에서 보냄", "[Outlook for Android](https://aka.ms/ghei36)",
		},
		reply.TypeDisclaimer: {
			"This e-mail is confidential. If you are not the intended recipient, please delete it.", "Virus-free. www.avast.com",
			"Please consider the environment before printing this e-mail.",
			"Diese E-Mail enthält vertrauliche Informationen. Wenn Sie nicht der richtige Adressat sind, vernichten Sie diese Mail.",
			"Ce message et toutes les pièces jointes sont confidentiels et destinés exclusivement au destinataire.",
			"Este mensaje y sus adjuntos son confidenciales; si no es el destinatario, elimínelo.",
			"Questo messaggio è riservato; se non siete il destinatario, distruggetelo.", "本邮件及其附件含有保密信息，仅限于收件人。",
		},
		reply.TypeReply: {
			"Sent from my desk, as my iPhone is gone.", "I sent from my iPhone what you asked for.", "Sent the phone by mail yesterday!", "From my point of view it is fine.",
			"This message is for Bob: call me.", "Get Outlook for Bob, he has iOS", "Outlook for iOS crashes", "Outlook on Android https://example.com/bug is broken, again", "Get well soon", "Diese E-Mail hat mich gefreut.", "iPhone 12, 64 GB",
		},
	}
	for kind, lines := range footers {
		for _, line := range lines {
			r := reply.Split("Yes, that is fine.\n\n" + line + "\n")
			if last := r.Segments[len(r.Segments)-1]; last.Type != kind {
				t.Errorf("%q is taken for %s, not %s", line, last.Type, kind)
			}
		}
	}
}
