package report

import (
	"slices"
	"strings"
)

// The tables of this file are compared with a text in lower case whose white space is folded. A phrase is one that no letter
// of a person needs to hold: what it means for the kind of a mail is decided together with who sent it (see docs/kinds.md).

// failures say that a mail was not delivered.
var failures = []string{
	// What programs write in English.
	"could not be delivered", "couldn't be delivered", "couldn’t be delivered", "cannot be delivered", "can not be delivered", "can't be delivered",
	"was not delivered", "wasn't delivered", "wasn’t delivered", "not be delivered", "not delivered to",
	"unable to deliver", "wasn't able to deliver", "were unable to deliver", "not able to deliver", "couldn't deliver", "could not deliver",
	"cannot deliver",
	"delivery failed", "delivery has failed", "delivery to the following", "delivery failure", "failed delivery",
	"delivery error", "delivery problem", "had delivery errors",
	"failure notice", "failure reasons", "failed permanently", "permanent error", "permanent failure", "permanent fatal error",
	"error delivering", "error occurred while attempting to deliver", "error occurred while trying to deliver", "trouble delivering",
	"problem delivering",
	"did not reach the following", "undeliverable", "undelivered", "returned to sender", "returned mail", "unsent message", "unsent mail",
	"transcript of session follows", "no valid recipients", "failed addresses", "message log follows",
	"rejected by", "was rejected", "has been rejected", "were rejected", "refused to accept", "blocked by", "has been blocked",
	"envelope expired", "giving up", "gave up", "has been in the queue too long", "retry timeout exceeded", "message expired",
	"delivery expired", "queue too long",
	// What servers say of a recipient.
	"user unknown", "unknown user", "unknown recipient", "no such user", "no such recipient", "no such address", "no mailbox here",
	"no such mailbox", "user not found", "user does not exist", "does not exist",
	"invalid recipient", "invalid user", "invalid address", "invalid mailbox", "invalid final delivery", "unknown address", "unknown host",
	"host unknown", "host not found", "domain not found", "account is disabled", "account disabled", "account has been disabled",
	"mailbox full", "mailbox is full", "mailbox unavailable", "mailbox not found", "mailbox exceeds", "quota exceeded", "over quota",
	"exceeded storage", "exceeded the local limit", "mailbox for", "recipient rejected", "recipient address rejected", "address rejected",
	"not listed in",
	"relay access denied", "relaying denied", "no longer accepts mail", "no longer available",
	"mail loop", "too many hops",
	// In other languages.
	"konnte nicht zugestellt werden", "nicht zugestellt", "unzustellbar", "zustellung fehlgeschlagen", "fehler bei der zustellung", "nicht zustellbar",
	"n'a pas pu être remis", "n’a pas pu être remis", "n'a pu être remis", "non remis", "échec de la remise", "échec de remise",
	"n'a pas été remis", "impossible de remettre", "n'a pas pu être distribué", "n’a pas pu être distribué", "erreur de distribution",
	"no se pudo entregar", "no se ha podido entregar", "no se puede entregar", "error de entrega", "no entregado", "fallo en la entrega",
	"no se entregó",
	"impossibile recapitare", "non è stato recapitato", "mancato recapito", "non recapitabile", "recapito non riuscito", //nolint:misspell // Italian
	"non è stato possibile recapitare", "consegna non riuscita", //nolint:misspell // Italian
	"não pôde ser entregue", "não foi possível entregar", "não entregue", "falha na entrega", "não foi entregue",
	"kon niet worden bezorgd", "kan niet worden bezorgd", "niet bezorgd", "onbestelbaar", "kon niet worden afgeleverd", "niet afgeleverd",
	"kunde inte levereras", "kan inte levereras", "kunne ikke leveres", "ei voitu toimittaa", "ei voida toimittaa",
	"nie można było dostarczyć", "nie można dostarczyć", "nie została dostarczona", "nie doręczono", "niedoręczon", "nelze doručit",
	"nebylo možné doručit", "nedoručiteln",
	"nem kézbesíthető", "nem sikerült kézbesíteni", "teslim edilemedi", "iletilemedi",
	"не доставлено", "невозможно доставить", "не может быть доставлено", "не было доставлено", "не удалось доставить",
	"送信できませんでした", "配信できませんでした", "配送できませんでした", "送信に失敗", "お届けできません", "配信不能",
	"无法投递", "未能投递", "投递失败", "退信", "無法傳送", "無法投遞", "無法傳遞", "投遞失敗", "전달되지 않", "전송되지 않", "배달되지 않",
}

// delays say that a mail is still being tried.
var delays = []string{
	"has not yet been delivered", "not yet been delivered", "not been delivered yet", "could not be delivered yet",
	"delivery attempts will continue", "will continue to be attempted",
	"will keep trying", "will continue trying", "will continue to try", "still trying", "will be retried", "will retry", "will try again",
	"will be attempted", "trying again",
	"this is a warning message only", "this is a warning only", "warning message only", "you do not need to resend",
	"do not need to resend your message",
	"delivery is delayed", "delivery has been delayed", "has been delayed", "delivery delayed",
	"delivery to the following recipients has been delayed", "temporarily delayed",
	"wird weiterhin versucht", "verzögert", "retardé", "la entrega se ha retrasado",
}

// ends say that it is not, whatever a server asked for.
var ends = []string{
	"not going to try again", "giving up", "gave up", "given up", "permanent error", "permanent failure", "failed permanently",
	"permanent fatal error", "has been in the queue too long", "retry timeout exceeded", "will not be retried",
	"no further delivery attempts",
}

// subjects begin the Subject of a bounce.
var subjects = []string{
	"undelivered mail returned to sender", "undeliverable", "undelivered", "undelivered mail", "returned mail", "returned email",
	"return mail", "returned to sender", "mail returned", "message returned",
	"delivery status notification", "delivery notification", "delivery failure", "delivery failed", "delivery error", "delivery problem",
	"delivery report", "delivery delayed", "delivery has failed", "delivery unsuccessful", "failed delivery", "failed mail",
	"failure delivery", "failure notice", "failure notification", "failed message", "failed to deliver",
	"mail delivery", "mail system error", "mail could not", "mail not delivered", "mail error", "mail failed", "mail failure",
	"mail undeliverable", "email delivery", "e-mail delivery", "message delivery", "message undeliverable", "message not delivered",
	"message could not", "message you sent", "error sending", "error delivering", "error mail", "unable to deliver", "unable to send",
	"could not send", "couldn't deliver", "cannot deliver", "can't deliver",
	"there was an error sending your mail", "non-delivery", "nondeliverable", "nondelivery", "non delivery", "not delivered", "bounced mail",
	"bounce", "rejected mail", "message rejected", "mail rejected", "warning: message", "warning: could not send",
	"warning: mail", "user unknown", "unknown user", "unknown recipient", "postfix smtp server: errors", "notification d'état",
	"notification d'échec",
	"unzustellbar", "mail-zustellung", "zustellung", "nicht zustellbar", "fehler bei der zustellung", "nachricht nicht", "non remis", "échec",
	"non distribué", "courrier non", "message non", "no se puede entregar", "no entregado", "no se ha podido", "error de entrega", "fallo",
	"notificación del estado", "mancato recapito", "non recapitabile", "recapito", "impossibile recapitare", "não entregue", //nolint:misspell // Italian
	"falha na entrega", "falha", "não foi possível", "onbestelbaar", "niet bezorgd", "niet afgeleverd", "kan inte leverera", "ikke leveret",
	"kan ikke leveres", "ei voitu toimittaa", "niedostarczon", "niedoręczon", "nie dostarczono", "nedoručiteln", "kézbesíthetetlen",
	"teslim edilemedi", "не доставлено", "недоставлен", "невозможно доставить", "配信不能", "送信エラー", "エラーメール", "メッセージ配信", "系统退信", "退信", "无法投递",
	"无法送达", "無法傳送", "未傳遞", "반송", "전송 실패",
}

// SubjectOfBounce reports whether a Subject begins as those of bounces do. It is weak evidence: a person may write so too.
func SubjectOfBounce(subject string) bool {
	subject = strings.ToLower(strings.TrimLeft(clipTo(subject, 200), " *[<\"'!"))
	for _, s := range subjects {
		if strings.HasPrefix(subject, s) {
			return true
		}
	}
	return false
}

// daemons are the local-parts that mail systems sign with. A person may read the mail to postmaster and answer from there.
var daemons = []string{"mailer-daemon", "mailerdaemon", "mailer_daemon", "mail-daemon", "maildaemon", "mail.daemon", "postmaster", "post_master", "post-master", "mail.delivery.system", "maildeliverysystem", "mail-delivery", "mmdf", "uucp", "mdaemon", "double-bounce", "bounce-notification"}

// MailSystem reports whether a From is a mail system's: by its local-part, by the name it bears, or by being empty.
func MailSystem(name, address string) bool {
	local, _, _ := strings.Cut(strings.ToLower(strings.Trim(clipTo(address, 400), "<> \"")), "@")
	if slices.Contains(daemons, local) {
		return true
	}
	name = strings.ToLower(clipTo(name, 100))
	for _, d := range []string{"mailer-daemon", "mailer daemon", "mail delivery sub", "mail delivery sys", "mail deliver system", "mail delivery service", "mail system", "mail administrator", "delivery subsystem"} {
		// A longer name that only has these words in it is that of a person or a company.
		if _, rest, ok := strings.Cut(name, d); ok {
			if word, behind, more := strings.Cut(rest, " "); !more || strings.HasPrefix(behind, "(") || strings.HasSuffix(word, ",") {
				return true
			}
		}
	}
	return false
}

// MailerDaemon reports whether the local-part is one that no person answers from.
func MailerDaemon(address string) bool {
	local, _, _ := strings.Cut(strings.ToLower(clipTo(address, 400)), "@")
	return strings.HasPrefix(local, "mailer-daemon") || local == "mailerdaemon" || local == "double-bounce"
}

func clipTo(s string, n int) string { return s[:min(len(s), n)] }

// folded is a text as the phrases are compared with it: in lower case, with white space folded and marks of quoting left out.
func folded(text string) string { return strings.Join(strings.Fields(strings.ToLower(text)), " ") }

func holds(text string, phrases []string) bool {
	for _, p := range phrases {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}
