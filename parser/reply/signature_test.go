package reply_test

import (
	"testing"

	"github.com/letterhook/letterhook/parser/reply"
)

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
			"This message is for Bob: call me.", "Get well soon", "Diese E-Mail hat mich gefreut.", "iPhone 12, 64 GB",
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
