package reply_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/letterhook/letterhook/parser/reply"
)

// The replies of many programs in many languages. want is the reply; forms the types of the segments, by their first letters.
var mails = []struct {
	name, text, want, forms string
}{
	{
		"Gmail",
		"Sounds good.\n\nOn Mon, May 1, 2023 at 10:00 AM Bob Smith <bob@example.com> wrote:\n\n> Shall we meet?\n>\n> Bob\n",
		"Sounds good.", "raq",
	},
	{
		"Gmail, wrapped before the address",
		"Sounds good.\n\nOn Mon, May 1, 2023 at 10:00 AM Bob Smith of the Department of Long Names <\nbob@example.com> wrote:\n\n> Shall we meet?\n",
		"Sounds good.", "raq",
	},
	{
		"Gmail, wrapped before the verb, nothing marked as a quote",
		"Sounds good.\n\nOn Mon, May 1, 2023 at 10:00 AM Bob Smith <bob@departments.example.com>\nwrote:\n\nShall we meet?\n",
		"Sounds good.", "raq",
	},
	{
		"Gmail, Japanese",
		"承知しました。\nよろしくお願いします。\n\n2023年5月1日(月) 10:00 田中太郎 <tanaka@example.jp>:\n\n> 明日はいかがでしょうか。\n",
		"承知しました。\nよろしくお願いします。", "raq",
	},
	{
		"Gmail, Chinese, verb glued to the time",
		"好的，谢谢！\n\n张三 <zhang@example.cn> 于2023年5月1日周一 10:00写道：\n\n> 请确认一下订单。\n",
		"好的，谢谢！", "raq",
	},
	{
		"Gmail, Korean",
		"네, 알겠습니다.\n\n2023년 5월 1일 (월) 오전 10:00, 홍길동 <hong@example.kr>님이 작성:\n\n> 회의가 있습니다.\n",
		"네, 알겠습니다.", "raq",
	},
	{
		"Gmail, Hebrew, with marks of direction",
		"תודה רבה!\n\n\u202bבתאריך יום ב׳, 1 במאי 2023 ב-10:00 מאת \u202aדני כהן\u202c\u200f <\u202adani@example.co.il\u202c\u200f>:\u202c\n\n> נפגש מחר?\n",
		"תודה רבה!", "raq",
	},
	{
		"Gmail, Arabic",
		"شكرا جزيلا\n\nفي الاثنين، 1 مايو 2023 في 10:00 ص تمت كتابة ما يلي بواسطة \u202aأحمد\u202c\u200f <\n\u202aahmad@example.com\u202c\u200f>:\n\n> هل نلتقي غدا؟\n",
		"شكرا جزيلا", "raq",
	},
	{
		"Gmail, Persian, with its own figures",
		"ممنونم\n\nدر تاریخ دوشنبه ۱ مهٔ ۲۰۲۳،\u200f ۱۰:۰۰ علی <ali@example.ir> نوشت:\n\n> فردا می\u200cآیید؟\n",
		"ممنونم", "raq",
	},
	{
		"Gmail, Thai",
		"ขอบคุณครับ\n\nเมื่อ จ. 1 พ.ค. 2023 เวลา 10:00 สมชาย <somchai@example.co.th> เขียนว่า:\n\n> พรุ่งนี้ว่างไหม\n",
		"ขอบคุณครับ", "raq",
	},
	{
		"Gmail, Vietnamese",
		"Cảm ơn bạn.\n\nVào Th 2, 1 thg 5, 2023 vào lúc 10:00 Nguyễn Văn An <an@example.vn> đã viết:\n\n> Ngày mai gặp nhé?\n",
		"Cảm ơn bạn.", "raq",
	},
	{
		"Gmail, Hindi",
		"धन्यवाद।\n\nसोम, 1 मई 2023 को 10:00 am बजे को राम <ram@example.in> ने लिखा:\n\n> कल मिलते हैं?\n",
		"धन्यवाद।", "raq",
	},
	{
		"Gmail, Hungarian, verb before the date",
		"Köszönöm!\n\nKovács Anna <anna@example.hu> ezt írta (időpont: 2023. máj. 1., H, 10:00):\n\n> Holnap találkozunk?\n",
		"Köszönöm!", "raq",
	},
	{
		"Gmail, Turkish",
		"Teşekkürler.\n\nAyşe Yılmaz <ayse@example.com.tr>, 1 May 2023 Pzt, 10:00 tarihinde şunu yazdı:\n\n> Yarın görüşelim mi?\n",
		"Teşekkürler.", "raq",
	},
	{
		"Gmail, Greek, nothing marked as a quote",
		"Ευχαριστώ.\n\nΣτις Δευ 1 Μαΐ 2023 στις 10:00 π.μ., ο χρήστης Νίκος Π. <nikos@example.gr>\nέγραψε:\n\nΘα βρεθούμε αύριο;\n",
		"Ευχαριστώ.", "raq",
	},
	{
		"Gmail, Russian, which has no verb",
		"Спасибо!\n\nпн, 1 мая 2023 г. в 10:00, Иван Петров <ivan@example.ru>:\n\n> Встретимся завтра?\n",
		"Спасибо!", "raq",
	},
	{
		"Gmail, Ukrainian",
		"Дякую!\n\nпн, 1 трав. 2023 р. о 10:00 Олена <olena@example.ua> пише:\n\n> Зустрінемось завтра?\n",
		"Дякую!", "raq",
	},
	{
		"Gmail, Romanian",
		"Mulțumesc.\n\nÎn lun., 1 mai 2023 la 10:00, Ion Popescu <ion@example.ro> a scris:\n\n> Ne vedem mâine?\n",
		"Mulțumesc.", "raq",
	},
	{
		"Gmail, Catalan, which begins as no other",
		"Gràcies.\n\nMissatge de Jordi Puig <jordi@example.cat> del dia dl., 1 de maig 2023 a les\n10:00:\n\n> Quedem demà?\n",
		"Gràcies.", "raq",
	},
	{
		"A language that no table has",
		"Mahalo.\n\nMa ka Pōʻakahi, 1 Mei 2023 i 10:00 Keola <keola@example.com> kākau:\n\nApopo?\n",
		"Mahalo.", "raq",
	},
	{
		"Apple Mail",
		"Yes please.\n\nAnn\n\n> On 1 May 2023, at 10:00, Bob Smith <bob@example.com> wrote:\n> \n> Coffee?\n\n",
		"Yes please.\n\nAnn", "rq",
	},
	{
		"Apple Mail, Chinese",
		"收到。\n\n在 2023年5月1日，上午10:00，张三 <zhang@example.cn> 写道：\n\n请查收附件。\n",
		"收到。", "raq",
	},
	{
		"iPhone, Japanese",
		"了解です。\n\niPhoneから送信\n\n2023/05/01 10:00、田中太郎 <tanaka@example.jp>のメール：\n\n> 明日はいかがですか。\n",
		"了解です。", "rsaq",
	},
	{
		"iPhone, German",
		"Passt, danke!\n\nVon meinem iPhone gesendet\n\n> Am 01.05.2023 um 10:00 schrieb Bob Schmidt <bob@example.de>:\n> \n> Termin morgen?\n",
		"Passt, danke!", "rsq",
	},
	{
		"Thunderbird, answers between the lines",
		"Am 01.05.23 um 10:00 schrieb Bob:\n> Kommst du morgen?\n\nJa.\n\n> Bringst du Kuchen mit?\n\nNein.\n\n-- \nAnn\n",
		"> Kommst du morgen?\n\nJa.\n\n> Bringst du Kuchen mit?\n\nNein.", "ars",
	},
	{
		"Thunderbird, the answer below",
		"On 5/1/23 10:00, Bob wrote:\n> Are you coming?\n> And the cake?\n\nYes, and I bring it.\n",
		"Yes, and I bring it.", "aqr",
	},
	{
		"Outlook, German",
		"Hallo Bob,\n\ndas passt mir gut.\n\nViele Grüße\nAnn\n\nVon: Bob Schmidt <bob@example.de>\nGesendet: Montag, 1. Mai 2023 10:00\nAn: Ann Meier <ann@example.de>\nCc: Team <team@example.de>\nBetreff: Termin\n\nHallo Ann,\n\nmorgen?\n",
		"Hallo Bob,\n\ndas passt mir gut.\n\nViele Grüße\nAnn", "raq",
	},
	{
		"Outlook on the web, French",
		"Bonjour,\n\nc'est parfait.\n________________________________\nDe : Jean Dupont <jean@example.fr>\nEnvoyé : lundi 1 mai 2023 10:00\nÀ : Anne <anne@example.fr>\nObjet : Rendez-vous\n\nDemain ?\n",
		"Bonjour,\n\nc'est parfait.", "raq",
	},
	{
		"Outlook, Polish",
		"Dziękuję, pasuje.\n\nFrom: Jan\nz biura\n\nOd: Jan Kowalski [mailto:jan@example.pl]\nWysłano: 1 maja 2023 10:00\nDo: Anna Nowak\nTemat: Spotkanie\n\nJutro?\n",
		"Dziękuję, pasuje.\n\nFrom: Jan\nz biura", "raq",
	},
	{
		"Outlook, Japanese",
		"お世話になっております。\n承知いたしました。\n\n差出人: 田中 <tanaka@example.jp>\n送信日時: 2023年5月1日 10:00\n宛先: 鈴木 <suzuki@example.jp>\n件名: 会議\n\n明日は?\n",
		"お世話になっております。\n承知いたしました。", "raq",
	},
	{
		"Outlook for Android",
		"Works for me\n\nGet Outlook for Android<https://aka.ms/AAb9ysg>\n________________________________\nFrom: Bob <bob@example.com>\nSent: Monday, May 1, 2023 10:00:00 AM\nTo: Ann <ann@example.com>\nSubject: Re: Plan\n\nTomorrow?\n",
		"Works for me", "rsaq",
	},
	{
		"QQ",
		"好的\n\n\n------------------&nbsp;原始邮件&nbsp;------------------\n发件人: \"bob\" <bob@example.com>;\n发送时间: 2023年5月1日(星期一) 上午10:00\n收件人: \"ann\"<ann@qq.com>;\n主题: 订单\n\n请确认\n",
		"好的", "raq",
	},
	{
		"NetEase",
		"可以的，明天见。\n\n\n\n\n\n在 2023-05-01 10:00:00，\"张三\" <zhang@163.com> 写道：\n\n明天见面？\n",
		"可以的，明天见。", "raq",
	},
	{
		"NetEase, English",
		"Fine.\n\n\n\n\nAt 2023-05-01 10:00:00, \"Zhang San\" <zhang@163.com> wrote:\n>Tomorrow?\n",
		"Fine.", "raq",
	},
	{
		"Naver",
		"네 감사합니다.\n\n-----Original Message-----\nFrom: \"홍길동\"<hong@naver.com>\nTo: \"김철수\"<kim@naver.com>;\nCc:\nSent: 2023-05-01 (월) 10:00:00 (GMT+09:00)\nSubject: 회의\n\n회의 있습니다\n",
		"네 감사합니다.", "raq",
	},
	{
		"Proton",
		"Works for me.\n\nSent with [Proton Mail](https://proton.me/mail/home) secure email.\n\nOn Monday, May 1st, 2023 at 10:00 AM, Bob <bob@example.com> wrote:\n\n> Tomorrow?\n",
		"Works for me.", "rsaq",
	},
	{
		"Proton, old",
		"Works for me.\n\n‐‐‐‐‐‐‐ Original Message ‐‐‐‐‐‐‐\nOn Monday, May 1st, 2023 at 10:00 AM, Bob <bob@example.com> wrote:\n\n> Tomorrow?\n",
		"Works for me.", "raq",
	},
	{
		"Notes",
		"Agreed.\n\n\n\nFrom:        Bob Smith/ACME\nTo:        Ann Jones/ACME@ACME\nDate:        05/01/2023 10:00 AM\nSubject:        Plan\n________________________________\n\n\n\nTomorrow?\n",
		"Agreed.", "raq",
	},
	{
		"Notes, the header as a line",
		"Agreed.\n\n-----Bob Smith/ACME wrote: -----\nTo: Ann Jones/ACME@ACME\nFrom: Bob Smith/ACME\nDate: 05/01/2023 10:00AM\nSubject: Plan\n\nTomorrow?\n",
		"Agreed.", "raq",
	},
	{
		"Yahoo",
		"ok thanks\n\n     On Monday, May 1, 2023 at 10:00:00 AM GMT+2, Bob <bob@example.com> wrote:  \n \n Tomorrow?\n   \n",
		"ok thanks", "raq",
	},
	{
		"Zoho",
		"Done.\n\n\n---- On Mon, 01 May 2023 10:00:00 +0530 Bob <bob@example.com> wrote ---\n\nPlease do it.\n",
		"Done.", "raq",
	},
	{
		"Exchange, Arabic",
		"شكرا\n\nمن: أحمد <ahmad@example.com>\nتاريخ الإرسال: الاثنين، 1 مايو، 2023 10:00 ص\nإلى: سارة <sara@example.com>\nالموضوع: اجتماع\n\nغدا؟\n",
		"شكرا", "raq",
	},
	{
		"A help desk",
		"My printer is on fire again.\n\nOn Mon, May 1, 2023 at 10:00 AM Desk <desk@example.com> wrote:\n\n##- Please type your reply above this line -##\n\nYour request has been updated.\n",
		"My printer is on fire again.", "raq",
	},
	{
		"A line of a help desk in Spanish alone",
		"Sigue igual.\n\n--- Responda por encima de esta línea ---\n\nSu solicitud fue actualizada.\n",
		"Sigue igual.", "raq",
	},
	{
		"Forward, with a word of the author",
		"FYI, can you answer him?\n\n---------- Forwarded message ---------\nFrom: Bob <bob@example.com>\nDate: Mon, May 1, 2023 at 10:00 AM\nSubject: Plan\nTo: Ann <ann@example.com>\n\nTomorrow?\n\n-- \nBob\n",
		"FYI, can you answer him?", "rf",
	},
	{
		"Forward, Apple, Portuguese",
		"Veja abaixo.\n\nInício da mensagem encaminhada:\n\n> De: Bob <bob@example.com>\n> Assunto: Plano\n> Data: 1 de maio de 2023 10:00\n> Para: Ana <ana@example.com>\n> \n> Amanhã?\n",
		"Veja abaixo.", "rf",
	},
	{
		"Forward, a mere one",
		"-------- Weitergeleitete Nachricht --------\nBetreff: Plan\nDatum: Mon, 1 May 2023 10:00:00 +0200\nVon: Bob <bob@example.de>\nAn: Ann <ann@example.de>\n\nMorgen?\n",
		"-------- Weitergeleitete Nachricht --------\nBetreff: Plan\nDatum: Mon, 1 May 2023 10:00:00 +0200\nVon: Bob <bob@example.de>\nAn: Ann <ann@example.de>\n\nMorgen?\n", "f",
	},
	{
		"Signature and disclaimer",
		"Please find it attached.\n\nKind regards,\nAnn\n\n-- \nAnn Jones | ACME Ltd.\n+44 20 7946 0000\n\nThis e-mail and any attachments are confidential and intended solely for the addressee.\nIf you are not the intended recipient, delete it.\n",
		"Please find it attached.\n\nKind regards,\nAnn", "rsd",
	},
	{
		"An address is no signature",
		"Please send it to my new address:\n\nAnn Jones\n12 High Street\nLondon\n020 7946 0000\n",
		"Please send it to my new address:\n\nAnn Jones\n12 High Street\nLondon\n020 7946 0000\n", "r",
	},
	{
		"A list under dashes is no signature",
		"We need:\n--------\n- 10 chairs\n- 2 tables\n",
		"We need:\n--------\n- 10 chairs\n- 2 tables\n", "r",
	},
	{
		"Text below a drawn line is no signature",
		"First part.\n\n---\n\nSecond part, with a due date.\n\nStatus: open\nDue date: 2023-05-01\n",
		"First part.\n\n---\n\nSecond part, with a due date.\n\nStatus: open\nDue date: 2023-05-01\n", "r",
	},
	{
		"A table is no signature",
		"The prices:\n\nZone     Buy     Sell\n------   -----   -----\nOne      2.2930  1.8650\nTwo      2.3285  1.9000\n",
		"The prices:\n\nZone     Buy     Sell\n------   -----   -----\nOne      2.2930  1.8650\nTwo      2.3285  1.9000\n", "r",
	},
	{
		"A log is no attribution",
		"It failed twice:\n\n2023-05-01 10:00:00 GMT+02:00 started\n2023-05-01 10:00:01 GMT+02:00 to <bob@example.com>\n2023-05-01 10:00:02 stopped\n\nWhy?\n",
		"It failed twice:\n\n2023-05-01 10:00:00 GMT+02:00 started\n2023-05-01 10:00:01 GMT+02:00 to <bob@example.com>\n2023-05-01 10:00:02 stopped\n\nWhy?\n", "r",
	},
	{
		"What somebody said is no attribution",
		"Hello,\n\nOn 1 May 2023 your colleague said:\n\nwe will refund you.\n\nWhen?\n",
		"Hello,\n\nOn 1 May 2023 your colleague said:\n\nwe will refund you.\n\nWhen?\n", "r",
	},
	{
		"Signed with PGP",
		"Yes.\n\n-----BEGIN PGP SIGNATURE-----\n\niQEzBAEBCAAdFiEE\n=abcd\n-----END PGP SIGNATURE-----\n", "Yes.", "rs",
	},
	{
		"A journey is no header block",
		"Please book:\n\nFrom: Paris\nTo: Rome\nDate: 1 May\n\nThanks\n",
		"Please book:\n\nFrom: Paris\nTo: Rome\nDate: 1 May\n\nThanks\n", "r",
	},
	{
		"A sentence about an address and a time is no attribution",
		"Please write to bob@example.com before 10:00 on 1 May 2023 and say:\n\nthe code is 42.\n",
		"Please write to bob@example.com before 10:00 on 1 May 2023 and say:\n\nthe code is 42.\n", "r",
	},
	{
		"Nothing but a phone",
		"Sent from my iPhone\n\nOn May 1, 2023, at 10:00, Bob <bob@example.com> wrote:\n> Tomorrow?\n",
		"", "saq",
	},
	{
		"Footer of a list",
		"I agree.\n\n_______________________________________________\nannounce mailing list\nannounce@lists.example.com\nhttps://lists.example.com/announce\n",
		"I agree.", "rs",
	},
	{
		"Line ends of the wire",
		"Yes.\r\n\r\nOn Mon, May 1, 2023 at 10:00 AM Bob <bob@example.com> wrote:\r\n> No?\r\n",
		"Yes.", "raq",
	},
}

func TestSplit(t *testing.T) {
	for _, m := range mails {
		r := reply.Split(m.text)
		joined, forms := "", ""
		for _, s := range r.Segments {
			joined += s.Text
			forms += string(s.Type[0])
		}
		if joined != m.text {
			t.Errorf("%s: the segments are not the text", m.name)
		}
		if r.Text != m.want || forms != m.forms {
			t.Errorf("%s:\n\t%s %q\nwant\n\t%s %q", m.name, forms, r.Text, m.forms, m.want)
		}
		if r.Confidence <= 0 || r.Confidence > 1 {
			t.Errorf("%s: confidence %v", m.name, r.Confidence)
		}
	}
}

// Where a rule is not sure it keeps the text, and says so.
func TestSplitDoubts(t *testing.T) {
	const high = 0.8
	doubtful := []string{"An address is no signature", "A log is no attribution", "Thunderbird, answers between the lines", "Nothing but a phone"}
	for _, m := range mails {
		if c := reply.Split(m.text).Confidence; (c < high) != slices.Contains(doubtful, m.name) {
			t.Errorf("%s: confidence %v", m.name, c)
		}
	}
	for name, text := range map[string]string{
		"text below the signature of a phone":       "Yes.\n\nSent from my iPhone\n\nAnd bring the cake.\n",
		"a quote that nothing announces":            "Yes.\n\n> No?\n",
		"an attribution above what the author says": "On 1 May 2023 at 10:00, Bob <bob@example.com> wrote:\n\nYes.\n",
		"a name and a number":                       "Yes.\n\nAnn Jones\n+44 20 7946 0000\n",
		"a line that may be an attribution":         "Yes.\n\nBob skrev 2023-05-01 10:00:\n\nTomorrow?\n",
	} {
		if r := reply.Split(text); r.Confidence >= high || r.Text == "" {
			t.Errorf("%s: confidence %v, reply %q", name, r.Confidence, r.Text)
		}
	}
}

func TestSplitOfTooManyLines(t *testing.T) {
	text := strings.Repeat("> a\n", 60_000)
	r := reply.Split(text)
	if r.Text != text || len(r.Segments) != 1 || r.Confidence != 0 {
		t.Errorf("%d octets, %d segments, confidence %v", len(r.Text), len(r.Segments), r.Confidence)
	}
}

const usual = "Hello Bob,\n\nthanks for the quick answer. We tried what you proposed:\n\n" +
	"1. The new cable: no change.\n2. The old cable at the other port: it works.\n\n" +
	"So it is the port. Can you send somebody on Monday, 10:00? Our address:\n\nACME Ltd.\n12 High Street\nLondon\n\n" +
	"Best regards,\nAnn\n\n-- \nAnn Jones\nACME Ltd. | +44 20 7946 0000 | https://acme.example\n\n" +
	"On Mon, May 1, 2023 at 10:00 AM Bob Smith <bob@example.com> wrote:\n\n"

func BenchmarkSplit(b *testing.B) {
	text := usual + strings.Repeat("> Good morning Ann, did you try the other cable and the other port?\n>\n", 23)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		reply.Split(text)
	}
}

func BenchmarkSplitOfNothingQuoted(b *testing.B) {
	text := strings.Repeat("Good morning, here are the figures for this week, as promised: one, two, three.\n", 25)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		reply.Split(text)
	}
}
