package reply_test

import (
	"strings"
	"testing"

	"github.com/letterhook/letterhook/parser/reply"
)

// headings are what stands between a reply and the mail that it answers.
var headings = []string{
	"De: Bob Ruiz <b@x.example>\nEnviado el: lunes, 1 de mayo de 2023 10:00\nPara: Ann <a@x.example>\nAsunto: RE: Plan",
	"Från: Bob <b@x.example>\nSkickat: den 1 maj 2023 10:00\nTill: Ann\nÄmne: SV: Plan",
	"pon., 1 maj 2023 o 10:00 Jan Kowalski <jan@x.example> napisał(a):",
	"po 1. 5. 2023 v 10:00 odesílatel Jan Novák <jan@x.example> napsal:",
	"Den man. 1. maj 2023 kl. 10.00 skrev Bo Hansen <bo@x.example>:",
	"ma 1. toukok. 2023 klo 10.00 Bo Virtanen (bo@x.example) kirjoitti:",
	"po 1. 5. 2023 o 10:00 Jan <jan@x.example> napísal(a):",
	"На пн, 1.05.2023 г. в 10:00 Иван <i@x.example> написа:",
	"pon, 1. svi 2023. u 10:00 Ana Horvat <a@x.example> napisao je:",
	"Bob <b@x.example> 於 2023年5月1日 週一 上午10:00寫道：",
	"Em seg., 1 de mai. de 2023 às 10:00, Bob <b@x.example> escreveu:",
	"Le 01/05/2023 à 10:00, Bob a écrit :",
	"01.05.2023 10:00, Bob пишет:",
	"Le 1 mai 2023 à 10:00, Bob <b@x.example> a écrit\u00a0:",
	"Il giorno 1 mag 2023, alle ore 10:00, Bob <b@x.example> ha scritto:",
	"Op 1 mei 2023, om 10:00 heeft Bob <b@x.example> het volgende geschreven:",
	"1 maj 2023 kl. 10:00 skrev Bob <b@x.example>:",
	"01.05.2023, 10:00, \"Bob\" <b@x.example>:",
	"Понедельник, 1 мая 2023, 10:00 +03:00 от Bob <b@x.example>:",
	"Gesendet: Montag, 01. Mai 2023 um 10:00 Uhr\nVon: \"Bob\" <b@x.example>\nAn: a@x.example\nBetreff: Re: Plan",
	"Dne 2023-05-01 10:00, Bob napsal:",
	"Zitat von Bob <b@x.example>:",
	"Quoting Bob <b@x.example>:",
	"Am 1. Mai 2023 10:00:00 MESZ schrieb Bob <b@x.example>:",
	"-------- Original message --------\nFrom: Bob <b@x.example> \nDate: 01/05/2023  10:00  (GMT+01:00) \nTo: a@x.example \nSubject: Re: Plan",
	"----- Mail original -----\nDe: \"Bob\" <b@x.example>\nÀ: \"Ann\" <a@x.example>\nEnvoyé: Lundi 1 Mai 2023 10:00:00\nObjet: Plan",
	"On Mon, May 1, 2023, at 10:00 AM, Bob wrote:",
	"On Mon, May 01, 2023 at 10:00:00AM +0200, Bob wrote:",
	"Bob <b@x.example> writes:",
	"In a message dated 5/1/2023 10:00:00 AM Eastern Standard Time, bob@x.example writes:",
	"Von:        Bob/ACME\nAn:        Ann/ACME@ACME\nDatum:        01.05.2023 10:00\nBetreff:        Plan",
	"보낸 사람: Bob <b@x.example>\n보낸 날짜: 2023년 5월 1일 월요일 오전 10:00\n받는 사람: Ann <a@x.example>\n제목: Plan",
	"Kimden: Bob <b@x.example>\nGönderildi: 1 Mayıs 2023 Pazartesi 10:00\nKime: Ann\nKonu: Plan",
	"------ Original Message ------\nFrom: \"Bob\" <b@x.example>\nTo: \"Ann\" <a@x.example>\nSent: 01/05/2023 10:00:00\nSubject: Re: Plan",
	"On 1 May 2023, 10:00 +0200, Bob <b@x.example>, wrote:",
	"--------- 원본 메일 ---------\n보낸사람 : Bob <b@x.example>\n받는사람 : Ann <a@x.example>\n날짜: 2023년 5월 01일(월) 10:00:00\n제목 : Plan",
	"Bob Schmidt <b@x.example> schrieb am Mo., 1. Mai 2023, 10:00:",
	"Bob (<b@x.example>) kirjutas kuupäeval E, 1. mai 2023 kell 10:00:",
	"pirmd., 2023. g. 1. maijs, plkst. 10:00 — lietotājs Bob (<b@x.example>) rakstīja:",
	"Pada tanggal Sen, 1 Mei 2023 pukul 10.00 Bob <b@x.example> menulis:",
	"Noong Lun, May 1, 2023 nang 10:00 AM, sinulat ni Bob <b@x.example> ang:",
	"ორშ, 1 მაი. 2023, 10:00 მომხმარებელმა Bob <b@x.example> დაწერა:",
	"มาจาก Bob <b@x.example> เมื่อ 1 พ.ค. 2566 10:00:",
	"Lig, 1 Bealtaine 2023 ag 10:00, scríobh Bob <b@x.example>:",
	"מאת: Bob <b@x.example>\n\u200f\u200fנשלח: יום שני 01 מאי 2023 10:00\nאל: Ann\nנושא: Plan",
	"寄件者: Bob <b@x.example>\n寄件日期: 2023年5月1日 上午 10:00\n收件者: Ann\n主旨: Plan",
	"From: Bob\nSent: Monday, May 1, 2023 10:00 AM\nTo: Ann",
	"**From:** Bob <b@x.example>\n**Sent:** Monday, May 1, 2023 10:00 AM\n**To:** Ann\n**Subject:** Plan",
	"Bob <b@x.example>, 1 Mayıs 2023 Pzt, 10:00 tarihinde şunu yazdı:",
	"2023. május 1. 10:00 keltezéssel, Bob írta:",
	"Στις 1/5/2023 10:00, ο/η Bob έγραψε:",
	"On 01/05/2023 10:00, Bob via Desk <\nb@x.example> wrote:",
	"---------- Original Message ----------\nOn Mon, 1 May 2023 10:00, Bob wrote:",
	"----- Reply message -----\nFrom: \"Bob\" <b@x.example>\nTo: <a@x.example>\nSubject: Plan\nDate: Mon, May 1, 2023 10:00",
	"---- Replied Message ----\nFrom\tBob<b@x.example>\nDate\t5/1/2023 10:00\nTo\tAnn\nSubject\tPlan",
	"---- 回复的原邮件 ----\n| 发件人 | Bob<b@x.example> |\n| 日期 | 2023年05月01日 10:00 |\n| 收件人 | Ann |\n| 主题 | Plan |",
	"Sent: Monday, May 01, 2023 at 10:00 AM\nFrom: \"Bob\" <b@x.example>\nTo: a@x.example\nSubject: Plan",
}

// wrapped breaks a line as a mail program does that knows of short lines only.
func wrapped(s string) string {
	const width = 40
	var b strings.Builder
	n := 0
	for i, w := range strings.Split(s, " ") {
		if i > 0 {
			if n+len(w) > width {
				b.WriteByte('\n')
				n = 0
			} else {
				b.WriteByte(' ')
			}
		}
		b.WriteString(w)
		n += len(w) + 1
	}
	return b.String()
}

// The same heading is understood above a marked quote, above text that nothing marks, and broken over lines.
func TestHeadings(t *testing.T) {
	const want = "Yes, that is fine."
	for _, heading := range headings {
		forms := map[string]string{"marked": heading + "\n\n> Tomorrow?\n", "close": heading + "\n> Tomorrow?\n"}
		if nothingButName := strings.HasPrefix(heading, "Zitat") || strings.HasPrefix(heading, "Quoting"); !nothingButName {
			forms["bare"] = heading + "\n\nTomorrow?\n"
		}
		if !strings.Contains(heading, "\n") {
			forms["wrapped"] = wrapped(heading) + "\n\n> Tomorrow?\n"
		}
		for form, text := range forms {
			if r := reply.Split(want + "\n\n" + text); r.Text != want {
				t.Errorf("%s %q: %q", form, heading, r.Text)
			}
		}
	}
}
