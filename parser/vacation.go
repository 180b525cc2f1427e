package parser

import (
	"bytes"
	"io"
	"strings"
)

// autoReplies begin the Subject that a program writes, and that no person does.
var autoReplies = []string{
	"out of office autoreply", "out of office auto-reply", "out of office reply", "out-of-office autoreply", "automatic reply", "automatic response", "auto reply",
	"auto-reply", "autoreply", "auto response", "auto-response", "autoresponse", "auto:", "ooo:",
	"automatische antwort", "abwesenheitsnotiz", "réponse automatique", "message d'absence", "respuesta automática", "risposta automatica", "resposta automática",
	"automatisch antwoord", "autosvar", "automatiskt svar", "automatisk svar", "automaattinen vastaus", "automatyczna odpowiedź", "automatická odpověď",
	"automatikus válasz", "răspuns automat", "автоматический ответ", "автоответ", "автоматична відповідь", "otomatik yanıt", "αυτόματη απάντηση",
	"תשובה אוטומטית", "رد تلقائي", "不在のお知らせ", "自動応答", "自動返信", "不在通知", "自动答复", "自动回复", "外出时的自动答复", "自動回覆", "自動答覆", "자동 회신", "trả lời tự động",
}

// absences begin a Subject as well, and people write so too.
var absences = []string{
	"out of office", "out-of-office", "vacation", "on vacation", "away from", "i am away", "i'm away", "absence", "absent",
	"abwesenheit", "abwesend", "nicht im büro", "urlaub", "ich bin im urlaub",
	"absence du bureau", "absent du bureau", "en congé", "congés",
	"fuera de la oficina", "ausencia", "de vacaciones",
	"fuori sede", "fuori ufficio", "assente", "assenza",
	"ausência", "fora do escritório", "férias",
	"afwezig", "niet aanwezig",
	"frånvarande", "fravær", "poissa", "nieobecność", "mimo kancelář", "házon kívül", "нет на месте", "ofis dışında", "부재 중",
}

// absenceWords are what the text of an automatic reply says, in lower case.
var absenceWords = []string{
	"out of office", "out of the office", "out-of-office", "on vacation", "on leave", "annual leave", "on holiday", "limited access to e",
	"limited access to my", "no access to my e", "i will be back", "i'll be back", "will be returning", "i am away", "i'm away",
	"currently away", "i will return", "upon my return", "when i return", "automatic reply", "automated response", "automatic response",
	"auto-reply", "autoreply",
	"nicht im büro", "außer haus", "abwesend", "im urlaub", "automatische antwort", "automatisch generiert", "absent", "en congé",
	"de retour", "réponse automatique", "fuera de la oficina", "de vacaciones", "estaré ausente", "respuesta automática", "fuori ufficio",
	"fuori sede", "in ferie", "sono assente", "risposta automatica", "fora do escritório", "de férias", "ausente", "afwezig", "met vakantie",
	"op vakantie",
	"på semester", "inte på kontoret", "på ferie", "lomalla", "na urlopie", "nieobecn", "dovolen", "szabadság", "в отпуске", "отсутству",
	"ofis dışında", "izindeyim", "不在", "休暇", "自動返信", "休假", "出差", "外出", "不在办公室", "부재", "휴가",
}

// challengeSubjects begin the Subject of a request to confirm.
var challengeSubjects = []string{
	"your email requires verification", "please confirm your message", "please confirm your email", "confirm your message", "your mail to",
	"verify your email", "verify your message", "verification required", "message verification", "[spamarrest]", "please verify",
	"action required to deliver",
}

// absenceEnds are what Notes writes behind a name.
var absenceEnds = []string{"is out of the office", "is out of office", "ist außer haus", "ist nicht im büro", "est absent", "está ausente", "è assente", "é ausente"}

// vacation knows automatic replies by their Subject. That is weak evidence, since people write of holidays and programs of who
// has them: a second piece must stand beside it. That a program wrote the mail is one only where it answers a mail, or where the
// Subject has the form of an answer, with a colon. What the text says is one only for a Subject that no person writes, or where
// both are so.
func (j *judgement) vacation() (kind string, reasons []string) {
	a := absent(j.m.Subject)
	if !a.says {
		return "", nil
	}
	var second string
	s := &j.signals
	answer := a.colon || s.answers
	switch {
	case j.nullPath:
		second = "null-return-path"
	case answer && s.declared():
		second = "auto-submitted:" + s.autoSubmitted
	case answer && s.suppress:
		second = "x-auto-response-suppress"
	case answer && (s.precedence == "bulk" || s.precedence == "junk"):
		second = "precedence:" + s.precedence
	case !s.declared() && (a.program || a.colon && s.answers) && j.m.Text != nil && sayAbsent(*j.m.Text):
		second = "text:absence"
	default:
		return "", nil
	}
	return KindAutoReply, []string{"subject:absence", second}
}

// absence is what a Subject says of one.
type absence struct {
	says    bool
	program bool // in the words of a program
	colon   bool // soon behind it comes the colon with which programs put the Subject that they answer, or what Notes writes
}

// absent reads a Subject.
func absent(subject string) absence {
	subject = subjectBegin(subject)
	for _, list := range [][]string{autoReplies, absences} {
		for _, w := range list {
			if rest, ok := strings.CutPrefix(subject, w); ok {
				colon := w[len(w)-1] == ':' || strings.ContainsAny(rest[:min(len(rest), 24)], ":：")
				return absence{says: true, program: &list[0] == &autoReplies[0], colon: colon}
			}
		}
	}
	for _, w := range absenceEnds {
		if strings.Contains(subject, w) {
			return absence{says: true, colon: true}
		}
	}
	return absence{}
}

// sayAbsent reports whether the beginning of a text speaks of absence.
func sayAbsent(text string) bool {
	const beginning = 4 << 10
	text = strings.Join(strings.Fields(strings.ToLower(text[:min(len(text), beginning)])), " ")
	for _, w := range absenceWords {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

// beginsAny reports whether a Subject begins with one of the words, in lower case, behind an opening bracket or quote.
func beginsAny(subject string, words []string) bool {
	subject = subjectBegin(subject)
	for _, w := range words {
		if strings.HasPrefix(subject, strings.TrimLeft(w, "[")) {
			return true
		}
	}
	return false
}

// subjectBegin is the beginning of a Subject in lower case.
func subjectBegin(subject string) string {
	return strings.ToLower(strings.TrimLeft(subject[:min(len(subject), 200)], " *[<\"'("))
}

// receipt knows the receipts that Outlook sends to Exchange in its own format (MS-OXTNEF): the message class is the first thing in it.
func (j *judgement) receipt() (kind string, reasons []string) {
	if j.m.Root.ContentType != "application/ms-tnef" {
		return "", nil
	}
	const class = 512
	b, err := io.ReadAll(io.LimitReader(j.m.Root.Open(), class))
	if err != nil {
		return "", nil
	}
	for _, c := range []string{"IPM.Microsoft Mail.Read Receipt", "REPORT.IPM.Note.IPNRN", "REPORT.IPM.Note.IPNNRN"} {
		if bytes.Contains(b, []byte(c)) {
			return KindReadReceipt, []string{"message-class:receipt"}
		}
	}
	return "", nil
}
