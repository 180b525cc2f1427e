package reply_test

import (
	"testing"

	"github.com/letterhook/letterhook/parser/reply"
)

// clients are whole mails as more programs write them.
var clients = []struct{ name, text, want string }{
	{"Yahoo Android", "Sure\n\nSent from Yahoo Mail on Android \n \n  On Mon, May 1, 2023 at 10:00, Bob<bob@example.com> wrote:   Tomorrow at ten?\nBob  \n", "Sure"},
	{"Yahoo new", "Sure\n    On Monday, May 1, 2023 at 10:00:00 AM EDT, Bob Smith <bob@example.com> wrote:  \n \n Tomorrow at ten?\n  ", "Sure"},
	{"Orange.fr", "Oui.\n\n\n> Message du 01/05/23 10:00\n> De : \"Bob\" <bob@example.com>\n> A : ann@example.com\n> Copie à : \n> Objet : Plan\n> \n> Demain ?\n", "Oui."},
	{"SquirrelMail", "Yes.\n\n> On Mon, May 1, 2023 10:00 am, Bob wrote:\n> > Tomorrow?\n> Ok\n\n", "Yes."},
	{"Bat initials", "Hello Bob,\n\nMonday, May 1, 2023, 10:00:00 AM, you wrote:\n\nBS> Tomorrow?\nBS> At ten?\n\nYes.\n\n-- \nBest regards,\n Ann    mailto:ann@example.com\n", "Hello Bob,\n\nBS> Tomorrow?\nBS> At ten?\n\nYes."},
	{"Outlook plain", "Yes, fine.\n\nAnn\n\n-----Original Message-----\nFrom: Bob Smith <bob@example.com> \nSent: Monday, May 1, 2023 10:00 AM\nTo: Ann Jones <ann@example.com>\nSubject: RE: Plan\n\nTomorrow?\n\nBob\n", "Yes, fine.\n\nAnn"},
	{"Outlook external banner", "Yes, fine.\n\nAnn\n\nFrom: Bob Smith <bob@example.com>\nSent: Monday, May 1, 2023 10:00 AM\nTo: Ann Jones <ann@example.com>\nSubject: [EXTERNAL] Plan\n\nCAUTION: This email originated from outside of the organization.\n\nTomorrow?\n", "Yes, fine.\n\nAnn"},
	{"Outlook mobile with sig", "Ok for me\n\nAnn\n\nSent from Outlook for iOS<https://aka.ms/o0ukef>\n________________________________\nFrom: Bob <bob@example.com>\nSent: Monday, May 1, 2023 10:00:00 AM\nTo: Ann <ann@example.com>\nSubject: Plan\n\nTomorrow?\n", "Ok for me\n\nAnn"},
	{"Samsung email", "Yes\n\n\nSent from my Galaxy\n\n\n-------- Original message --------\nFrom: Bob <bob@example.com> \nDate: 01/05/2023  10:00  (GMT+01:00) \nTo: Ann <ann@example.com> \nSubject: Plan \n\nTomorrow?\n", "Yes"},
	{"Samsung German", "Ja\n\n\nVon meinem/meiner Galaxy gesendet\n\n\n-------- Ursprüngliche Nachricht --------\nVon: Bob <bob@example.com> \nDatum: 01.05.23  10:00  (GMT+01:00) \nAn: Ann <ann@example.com> \nBetreff: Plan \n\nMorgen?\n", "Ja"},
	{"Samsung French", "Oui\n\n\nEnvoyé depuis mon appareil Galaxy\n\n\n-------- Message d'origine --------\nDe : Bob <bob@example.com> \nDate : 01/05/2023  10:00  (GMT+01:00) \nÀ : Ann <ann@example.com> \nObjet : Plan \n\nDemain ?\n", "Oui"},
	{"iPhone no marks", "Yes\n\nSent from my iPhone\n\nOn May 1, 2023, at 10:00 AM, Bob <bob@example.com> wrote:\n\n\ufeffTomorrow?\n\nBob\n", "Yes"},
	{"iPhone quoted", "Yes\n\nSent from my iPhone\n\n> On May 1, 2023, at 10:00\u202fAM, Bob <bob@example.com> wrote:\n> \n> \ufeffTomorrow?\n", "Yes"},
	{"Apple forwarded", "See below.\n\nBegin forwarded message:\n\nFrom: Bob <bob@example.com>\nSubject: Plan\nDate: May 1, 2023 at 10:00:00 AM EDT\nTo: Ann <ann@example.com>\n\nTomorrow?\n", "See below."},
	{"Apple mail German forward", "S.u.\n\n> Anfang der weitergeleiteten Nachricht:\n> \n> Von: Bob <bob@example.com>\n> Betreff: Plan\n> Datum: 1. Mai 2023 um 10:00:00 MESZ\n> An: Ann <ann@example.com>\n> \n> Morgen?\n", "S.u."},
	{"Thunderbird forward", "fyi\n\n\n-------- Forwarded Message --------\nSubject: \tPlan\nDate: \tMon, 1 May 2023 10:00:00 +0200\nFrom: \tBob <bob@example.com>\nTo: \tAnn <ann@example.com>\n\n\n\nTomorrow?\n", "fyi"},
	{"Outlook fw no marker (Fw by block)", "fyi\n\nAnn\n\nVon: Bob <bob@example.com>\nGesendet: Montag, 1. Mai 2023 10:00\nAn: Ann <ann@example.com>\nBetreff: Plan\n\nMorgen?\n", "fyi\n\nAnn"},
	{"Proton mobile", "Yes\n\nSent from Proton Mail for iOS\n\nOn Mon, May 1, 2023 at 10:00, Bob <[bob@example.com](mailto:On Mon, May 1, 2023 at 10:00, Bob <<a href=)> wrote:\n\n> Tomorrow?\n", "Yes"},
	{"Proton mailto", "Yes\n\nOn Mon, May 1, 2023 at 10:00, Bob <[bob@example.com](mailto:bob@example.com)> wrote:\n\n> Tomorrow?\n", "Yes"},
	{"Proton German", "Ja\n\nGesendet mit [Proton Mail](https://proton.me) sichere E-Mail.\n\nBob <bob@example.com> schrieb am Montag, 1. Mai 2023 um 10:00:\n\n> Morgen?\n", "Ja"},
	{"Proton French", "Oui\n\nEnvoyé avec la messagerie sécurisée [Proton Mail](https://proton.me/).\n\nLe lundi 1 mai 2023 à 10:00, Bob <bob@example.com> a écrit :\n\n> Demain ?\n", "Oui"},
	{"Tuta", "Yes\n\n-- \nSecured with Tuta Mail: https://tuta.com/free-email\n\n1 May 2023, 10:00 by bob@example.com:\n\n> Tomorrow?\n", "Yes"},
	{"Notes old", "Fine.\n\n\n\n\nBob Smith <bob@example.com>\n05/01/2006 10:00 AM\n\nTo\nAnn Jones/ACME@ACME\ncc\nTeam/ACME@ACME\nSubject\nPlan\n\n\n\n\n\n\nTomorrow?\n", "Fine."},
	{"Notes inline", "Fine.\n\nRegards, Ann\n\nBob Smith ---05/01/2013 10:00:00 AM---Hi Ann, tomorrow?\n\nFrom:\tBob Smith/ACME\nTo:\tAnn Jones/ACME@ACME\nDate:\t05/01/2013 10:00 AM\nSubject:\tPlan\n\n\n\nHi Ann, tomorrow?\n", "Fine.\n\nRegards, Ann"},
	{"Notes German forward", "zK\n\n----- Weitergeleitet von Ann Meier/ACME am 01.05.2013 10:00 -----\n\nVon:\tBob Schmidt/ACME\nAn:\tAnn Meier/ACME@ACME\nDatum:\t01.05.2013 09:00\nBetreff:\tPlan\n\nMorgen?\n", "zK"},
	{"Notes forward", "fyi\n\n----- Forwarded by Ann Jones/ACME on 05/01/2013 10:00 AM -----\n\nFrom:\tBob Smith/ACME\nTo:\tAnn Jones/ACME@ACME\nDate:\t05/01/2013 09:00 AM\nSubject:\tPlan\n\nTomorrow?\n", "fyi"},
	{"Jira", "I tried, same result.\n\nOn Mon, May 1, 2023 at 10:00 AM Bob Smith <jira@example.atlassian.net> wrote:\n\n> —-—-—-—\n> Reply above this line.\n>\n> Bob commented:\n", "I tried, same result."},
	{"Jira Outlook", "I tried, same result.\n\n—-—-—-—\nReply above this line.\n\nBob commented:\n\nTry again.\n", "I tried, same result."},
	{"Disclaimer Dutch", "Prima.\n\nDe informatie in dit e-mailbericht is vertrouwelijk en uitsluitend bestemd voor de geadresseerde. Indien u niet de geadresseerde bent, verzoeken wij u dit bericht te verwijderen.\n", "Prima."},
	{"Disclaimer English 2", "Fine.\n\nCONFIDENTIALITY NOTICE: This e-mail message, including any attachments, is for the sole use of the intended recipient(s) and may contain confidential and privileged information.\n", "Fine."},
	{"Disclaimer English 3", "Fine.\n\nThe information contained in this communication is intended solely for the use of the individual or entity to whom it is addressed. If you have received this email in error please notify the sender.\n", "Fine."},
	{"Disclaimer German 2", "Gut.\n\nDer Inhalt dieser E-Mail ist vertraulich und ausschließlich für den bezeichneten Adressaten bestimmt. Wenn Sie nicht der vorgesehene Adressat dieser E-Mail sind, informieren Sie bitte den Absender.\n", "Gut."},
	{"Disclaimer French 2", "Bien.\n\nCe courriel et les documents qui lui sont joints peuvent contenir des informations confidentielles. S'ils ne vous sont pas destinés, merci d'en avertir l'expéditeur.\n", "Bien."},
	{"Disclaimer Spanish 2", "Bien.\n\nAVISO LEGAL: Este mensaje va dirigido, de manera exclusiva, a su destinatario y puede contener información confidencial. Si usted no es el destinatario le rogamos que lo elimine.\n", "Bien."},
	{"Disclaimer Portuguese", "Ok.\n\nEsta mensagem pode conter informação confidencial e é destinada exclusivamente ao seu destinatário. Se não é o destinatário, por favor elimine-a.\n", "Ok."},
	{"Disclaimer Italian 2", "Va bene.\n\nLe informazioni contenute in questa comunicazione e gli eventuali documenti allegati hanno carattere confidenziale e sono ad uso esclusivo del destinatario. Qualora non foste il destinatario, vi preghiamo di distruggere.\n", "Va bene."},
	{"Disclaimer Polish", "Dobrze.\n\nNiniejsza wiadomość zawiera informacje poufne przeznaczone wyłącznie dla adresata. Jeżeli nie są Państwo adresatem, prosimy o usunięcie wiadomości.\n", "Dobrze."},
	{"Disclaimer Russian", "Хорошо.\n\nЭто сообщение и любые вложения являются конфиденциальными и предназначены только для адресата. Если вы не являетесь адресатом, удалите его.\n", "Хорошо."},
	{"Disclaimer Swedish", "Bra.\n\nDetta e-postmeddelande kan innehålla konfidentiell information och är endast avsett för adressaten. Om du inte är rätt mottagare, vänligen radera det.\n", "Bra."},
	{"Avast", "Fine.\n\n-- \nThis email has been checked for viruses by Avast antivirus software.\nwww.avast.com\n", "Fine."},
	{"Avast German", "Gut.\n\n-- \nDiese E-Mail wurde von Avast-Antivirussoftware auf Viren geprüft.\nwww.avast.com\n", "Gut."},
	{"Google groups", "Fine.\n\n-- \nYou received this message because you are subscribed to the Google Groups \"x\" group.\nTo unsubscribe from this group and stop receiving emails from it, send an email to x+unsubscribe@googlegroups.com.\n", "Fine."},
	{"Greeting then quote", "Hi,\n\nthanks!\n\nBest regards,\nAnn Jones\nHead of Sales\nACME Ltd.\nTel. +44 20 7946 0000\nwww.acme.example\n\nOn Mon, 1 May 2023 at 10:00, Bob <bob@example.com> wrote:\n> Tomorrow?\n", "Hi,\n\nthanks!\n\nBest regards,\nAnn Jones\nHead of Sales\nACME Ltd.\nTel. +44 20 7946 0000\nwww.acme.example"},
	{"Interleaved w sig", "On Mon, 1 May 2023 at 10:00, Bob <bob@example.com> wrote:\n> Tomorrow?\nYes.\n> At ten?\nNo, eleven.\n\n-- \nAnn\n", "> Tomorrow?\nYes.\n> At ten?\nNo, eleven."},
	{"Top and inline", "Hi Bob, see inline.\n\nOn Mon, 1 May 2023 at 10:00, Bob <bob@example.com> wrote:\n\n> Tomorrow?\n\nYes.\n\n> At ten?\n\nNo, eleven.\n\n> Bye\n> Bob\n", "Hi Bob, see inline.\n\n> Tomorrow?\n\nYes.\n\n> At ten?\n\nNo, eleven."},
	{"RTL attribution wrapped", "תודה\n\n\u202bבתאריך יום ב׳, 1 במאי 2023 ב-10:00 מאת \u202aדני כהן המחלקה הגדולה\u202c\u200f <\n\u202adani@example.co.il\u202c\u200f>:\u202c\n\n> נפגש?\n", "תודה"},
	{"Apple Hebrew", "תודה\n\nנשלח מה-iPhone שלי\n\n> ב-1 במאי 2023, בשעה 10:00, \u200fדני כהן <dani@example.co.il> כתב/ה:\n> \n> נפגש?\n", "תודה"},
	{"Outlook Chinese trad", "好的\n\n寄件者: Bob <bob@example.com>\n寄件日期: 2023年5月1日 上午 10:00\n收件者: Ann <ann@example.com>\n主旨: 計畫\n\n明天?\n", "好的"},
	{"Outlook Korean", "네\n\n보낸 사람: Bob <bob@example.com>\n날짜: 월요일, 2023년 5월 1일 오전 10:00\n받는 사람: Ann <ann@example.com>\n제목: 계획\n\n내일?\n", "네"},
	{"Outlook Mac Japanese", "はい\n\n差出人: Bob <bob@example.com>\n日付: 2023年5月1日 月曜日 10:00\n宛先: Ann <ann@example.com>\n件名: Re: 計画\n\n明日?\n", "はい"},
	{"Japanese inline fullwidth", "田中様\n\n承知しました。\n\n＞明日はいかがですか。\n＞よろしくお願いします。\n", "田中様\n\n承知しました。"},
	{"Becky", "OK.\n\nOn Mon, 01 May 2023 10:00:00 +0900\nTanaka <tanaka@example.jp> wrote:\n\n> 明日は？\n", "OK."},
	{"Gnus", "Bob Smith <bob@example.com> writes:\n\n> Tomorrow?\n\nYes.\n\n-- \nAnn\n", "Yes."},
	{"Front", "Yes\n\nAnn\n\nOn May 1, 2023 at 10:00 AM GMT+2 bob@example.com wrote:\n\n> Tomorrow?\n", "Yes\n\nAnn"},
	{"Missive", "Yes\n\nOn May 1, 2023 at 10:00 AM, Bob (bob@example.com) wrote:\n\nTomorrow?\n", "Yes"},
	{"GMX signature", "Ja\n\n--\nDiese Nachricht wurde von meinem Android Mobiltelefon mit GMX Mail gesendet.\n\nAm 01.05.23, 10:00 schrieb Bob <bob@example.com>:\n\n> Morgen?\n", "Ja"},
	{"K-9 German", "Ja\n\nAm 1. Mai 2023 10:00:00 MESZ schrieb Bob <bob@example.com>:\n>Morgen?\n>\n\n-- \nDiese Nachricht wurde von meinem Android-Gerät mit K-9 Mail gesendet.", "Ja"},
	{"Mail.ru", "Да\n\n--\nИван Петров\n\n\nПонедельник, 1 мая 2023, 10:00 +03:00 от Bob <bob@example.com>:\n \nЗавтра?\n", "Да"},
	{"Yandex", "Да\n\n01.05.2023, 10:00, \"Bob\" <bob@example.com>:\n\n> Завтра?\n\n-- \nИван\n", "Да"},
	{"Naver mobile", "네\n\n-----Original Message-----\nFrom: <bob@example.com>\nTo: <ann@naver.com>\nCc:\nSent: 2023. 5. 1. (월) 10:00 (GMT+09:00)\nSubject: 계획\n\n내일?\n", "네"},
	{"signature html2text star", "Yes.\n\n*Ann Jones*\n*Head of Sales*\n\nOn Mon, May 1, 2023 at 10:00 AM Bob <bob@example.com> wrote:\n\n> Tomorrow?\n", "Yes.\n\n*Ann Jones*\n*Head of Sales*"},
	{"attribution with line wrap in the name and date", "Yes\n\nOn Mon, May 1, 2023 at 10:00 AM Bob Smith via Very Long Mailing List Name\nof the House <very-long-mailing-list-name@lists.example.com> wrote:\n\n> Tomorrow?\n", "Yes"},
	{"de wrapped Gmail", "Ja\n\nAm Mo., 1. Mai 2023 um 10:00 Uhr schrieb Bob Schmidt von der Abteilung <\nbob.schmidt@abteilung.example.de>:\n\n> Morgen?\n", "Ja"},
	{"fr wrapped", "Oui\n\nLe lun. 1 mai 2023 à 10:00, Jean-Baptiste Dupont-Martin\n<jean-baptiste@example.fr> a\nécrit :\n\n> Demain ?\n", "Oui"},
	{"quoted without gt, gmail html to text with gmail attr", "Yes\n\nOn Mon, May 1, 2023 at 10:00 AM Bob <bob@example.com>\nwrote:\n\nTomorrow?\n", "Yes"},
	{"Zendesk", "It works now.\n\n________________________________\nFrom: Support <support@example.com>\nSent: Monday, May 1, 2023 10:00 AM\nTo: Ann\nSubject: [Request received] x\n\n##- Please type your reply above this line -##\n", "It works now."},
	{"Outlook wrote (new mobile)", "Yes\n\nBob Smith <bob@example.com> wrote on Mon, 1 May 2023, 10:00:\n\n> Tomorrow?\n", "Yes"},
	{"Apple es", "Sí\n\nEnviado desde mi iPhone\n\n> El 1 may 2023, a las 10:00, Bob <bob@example.com> escribió:\n> \n> ¿Mañana?\n", "Sí"},
	{"Apple tr", "Evet\n\niPhone'umdan gönderildi\n\n> Bob <bob@example.com> şunları yazdı (1 May 2023 10:00):\n> \n> Yarın?\n", "Evet"},
	{"Unquoted no attr, below rule", "Yes\n\n----------------\n> Tomorrow?\n", "Yes"},
}

func TestClients(t *testing.T) {
	for _, c := range clients {
		if r := reply.Split(c.text); r.Text != c.want {
			t.Errorf("%s: %v\n\t%q\nwant\n\t%q", c.name, r.Confidence, r.Text, c.want)
		}
	}
}

// below is a mail quoted without marks, as Outlook does it.
const below = "From: Bob Smith <bob@example.com>\nSent: Monday, May 1, 2023 10:00 AM\nTo: Ann Jones <ann@example.com>\nSubject: Plan\n\n"

// TestAnswersWithin: answers within a quote without marks are found by the name that Outlook puts before them; others are doubted
// where the author speaks of them.
func TestAnswersWithin(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
		sure             bool
	}{
		{"tagged", "Hi Bob,\n\n" + below + "Tomorrow?\n\n[Ann Jones] Yes.\n\nAt ten?\n\n[Ann Jones] No,\neleven.\n\nBye\nBob\n",
			"Hi Bob,\n\nTomorrow?\n\n[Ann Jones] Yes.\n\nAt ten?\n\n[Ann Jones] No,\neleven.", false},
		{"tagged, last name first", "Hi Bob,\n\n" + below + "Tomorrow?\n[Jones, Ann] Yes.\n\nBye\n", "Hi Bob,\n\nTomorrow?\n[Jones, Ann] Yes.", false},
		{"said", "Hi Bob, my answers in red.\n\n" + below + "Tomorrow?\n\nYes.\n", "Hi Bob, my answers in red.", false},
		{"said in German", "Hallo Bob, siehe unten.\n\n" + below + "Morgen?\n\nJa.\n", "Hallo Bob, siehe unten.", false},
		{"a tag of a gateway", "Fine.\n\n" + below + "[External Email] Take care.\n\nTomorrow?\n", "Fine.", true},
		{"a number in brackets", "Fine.\n\n" + below + "[Ticket 42] is open.\n", "Fine.", true},
		{"somebody else", "Fine.\n\n" + below + "[Carl Meyer] said so.\n", "Fine.", true},
	} {
		r := reply.Split(c.text)
		checkSplit(t, c.text, r)
		if r.Text != c.want || (r.Confidence >= 0.8) != c.sure {
			t.Errorf("%s: %v %q, want %q", c.name, r.Confidence, r.Text, c.want)
		}
	}
}

// TestSignedWithoutDelimiter: a signature that nothing announces stays, and the confidence falls. What is not built like one
// costs none.
func TestSignedWithoutDelimiter(t *testing.T) {
	for text, sure := range map[string]bool{
		"Yes, that is fine.\n\nBest regards,\nAnn Jones\nHead of Sales\n":                 false,
		"Yes, that is fine.\n\nBest regards,\n\nAnn Jones\nHead of Sales\n":               false,
		"Yes, that is fine.\n\nAnn Jones\nHead of Sales\nACME Ltd\n":                      false,
		"Yes, that is fine.\nAnn Jones\nHead of Sales\nACME Ltd\n":                        false,
		"Yes, that is fine.\n\nAnn\nAnn Jones | Head of Sales | ACME\n":                   false,
		"承知いたしました。\n\n株式会社エーシーエムイー\n営業部\n田中太郎\n":                                          false,
		"Yes, that is fine.\n\nBest regards,\nAnn Jones\n":                                true,
		"Yes, that is fine.\n\nBest regards,\n\nAnn Jones\n":                              true,
		"Hi Bob,\n\nyes please\nthanks\n":                                                 true,
		"Yes please\nNo\nThanks\n":                                                        true,
		"We need:\n\n10 chairs\n2 tables\n3 lamps\n":                                      true,
		"We need:\n\n- chairs\n- tables\n- lamps\n":                                       true,
		"Yes, that is fine.\n\nSee you. It is far.\nBring a coat.\nAnd the dog.\n\nAnn\n": true,
	} {
		r := reply.Split(text)
		if r.Text != text || (r.Confidence >= 0.8) != sure {
			t.Errorf("%q: %v %q", text, r.Confidence, r.Text)
		}
	}
}
