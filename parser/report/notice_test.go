package report_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/letterhook/letterhook/parser/report"
)

// told is what a notice must be read as: a line for each recipient, "address action status", and what else matters.
type told struct {
	recipients  []string
	diagnostic  string // contained in that of the first recipient
	remote      string // of the first recipient
	reporter    string
	original    string // contained in the header of the mail that came back
	replacement string // Original of the first recipient
}

// notices are bounces as mail systems word them.
var notices = []struct {
	system string
	notice report.Notice
	want   told
}{
	{"Exim", report.Notice{Text: `This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  bob@b.example
    (generated from info@c.example)
    host mx.b.example [192.0.2.1]
    SMTP error from remote mail server after RCPT TO:<bob@b.example>:
    550 5.1.1 <bob@b.example>: Recipient address rejected: User unknown
  carl@c.example
    unrouteable mail domain "c.example"

------ This is a copy of the message, including all the headers. ------

Return-path: <ann@a.example>
Received: from ann by a.example with local (Exim 4.96)
Message-Id: <1@a.example>
Subject: Hello
`}, told{recipients: []string{"bob@b.example failed 5.1.1", "carl@c.example failed 5.0.0"}, diagnostic: "User unknown", remote: "mx.b.example", original: "Message-Id: <1@a.example>", replacement: "info@c.example"}},
	{"Exim, a warning", report.Notice{Subject: "Warning: message 1pXyZ delayed 24 hours", Text: `This message was created automatically by mail delivery software.
A message that you sent has not yet been delivered to one or more of its
recipients after more than 24 hours on the queue on mail.a.example.

The message identifier is:     1pXyZ
The subject of the message is: Hello

The address to which the message has not yet been delivered is:

  bob@b.example
    host mx.b.example [192.0.2.1]
    Delay reason: SMTP error from remote mail server after initial connection:
    421 4.7.0 try later

No action is required on your part. Delivery attempts will continue for
some time, and this warning may be repeated at intervals if the message
remains undelivered.
`}, told{recipients: []string{"bob@b.example delayed 4.7.0"}, diagnostic: "try later", remote: "mx.b.example", reporter: "mail.a.example"}},
	{"Gmail, old", report.Notice{Failed: []string{"bob@b.example"}, To: []string{"ann@gmail.example"}, Text: `Delivery to the following recipient failed permanently:

     bob@b.example

Technical details of permanent failure: 
Google tried to deliver your message, but it was rejected by the server for the recipient domain b.example by mx.b.example. [192.0.2.1].

The error that the other server returned was:
552 5.2.2 mailbox of bob is full


----- Original message -----

DKIM-Signature: v=1; a=rsa-sha256; d=gmail.example
MIME-Version: 1.0
Message-ID: <2@gmail.example>
`}, told{recipients: []string{"bob@b.example failed 5.2.2"}, diagnostic: "mailbox of bob is full", original: "<2@gmail.example>"}},
	{"Gmail, new", report.Notice{To: []string{"ann@gmail.example"}, Text: `
** Address not found **

Your message wasn't delivered to bob@b.example because the address couldn't be found, or is unable to receive mail.

Learn more here: https://support.google.com/mail/answer/6596

The response was:

550 5.1.1 The email account that you tried to reach does not exist.
`}, told{recipients: []string{"bob@b.example failed 5.1.1"}, diagnostic: "does not exist"}},
	{"sendmail 8", report.Notice{Text: `The original message was received at Sat, 21 Nov 2026 18:30:00 GMT
from ann@localhost

   ----- The following addresses had permanent fatal errors -----
<bob@b.example>
    (reason: 550 5.1.1 <bob@b.example>... User unknown)
    (expanded from: <all@a.example>)
"|/usr/bin/filter"
    (reason: Data format error)

   ----- Transcript of session follows -----
... while talking to mx.b.example.:
>>> DATA
<<< 550 5.1.1 <bob@b.example>... User unknown
550 5.1.1 <bob@b.example>... User unknown
<<< 503 5.0.0 Need RCPT (recipient)
`}, told{recipients: []string{"bob@b.example failed 5.1.1"}, diagnostic: "reason: 550 5.1.1"}},
	{"Postfix", report.Notice{Text: `This is the mail system at host mail.a.example.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

For further assistance, please send mail to postmaster.

                   The mail system

<bob@b.example> (expanded from <info@a.example>): host
    mx.b.example[192.0.2.1] said: 554 Service unavailable; Client host blocked
    (in reply to RCPT TO command)

<carl@c.example>: Host or domain name not found. Name service error for
    name=c.example type=AAAA: Host not found
`}, told{recipients: []string{"bob@b.example failed 5.0.0", "carl@c.example failed 5.0.0"}, diagnostic: "Client host blocked", remote: "mx.b.example", reporter: "mail.a.example", replacement: "info@a.example"}},
	{"Postfix, a warning", report.Notice{Text: `This is the mail system at host mail.a.example.

####################################################################
# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #
####################################################################

Your message could not be delivered for more than 4 hour(s).
It will be retried until it is 5 day(s) old.

<bob@b.example>: connect to mx.b.example[192.0.2.1]:25: Connection timed out
`}, told{recipients: []string{"bob@b.example delayed 4.0.0"}, diagnostic: "timed out", remote: "mx.b.example", reporter: "mail.a.example"}},
	{"qmail", report.Notice{Text: `Hi. This is the qmail-send program at a.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<bob@b.example>:
192.0.2.1 does not like recipient.
Remote host said: 553 sorry, that domain isn't in my list (#5.7.1)
Giving up on 192.0.2.1.

--- Below this line is a copy of the message.

Return-Path: <ann@a.example>
Received: (qmail 1 invoked by uid 89); 21 Nov 2026 18:30:00 -0000
Message-ID: <3@a.example>
`}, told{recipients: []string{"bob@b.example failed 5.7.1"}, remote: "192.0.2.1", reporter: "a.example", original: "<3@a.example>"}},
	{"Exchange Online", report.Notice{Text: `[https://products.office.com/en-us/CMSImages/logo.png]
Your message to bob@b.example couldn't be delivered.
bob wasn't found at b.example.
ann     Office 365      bob
Action Required                 Recipient
Unknown To address

Original Message Details
Created Date:   11/21/2026 6:30:00 PM
Sender Address: ann@a.example
Recipient Address:      bob@b.example
Subject:        Hello

Error Details
Reported error: 550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient bob@b.example not found by SMTP address lookup
DSN generated by:       AM0PR01.prod.outlook.example
`}, told{recipients: []string{"bob@b.example failed 5.1.10"}, diagnostic: "RecipientNotFound", original: "subject: Hello"}},
	{"Exchange 2007", report.Notice{Text: `Delivery has failed to these recipients or distribution lists:

bob@b.example
The recipient's e-mail address was not found in the recipient's e-mail system. Microsoft Exchange will not try to redeliver this message for you.


________________________________
Sent by Microsoft Exchange Server 2007


Diagnostic information for administrators:

Generating server: mail.b.example

bob@b.example
#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##

Original message headers:

Received: from mx.b.example (192.0.2.1) by mail.b.example
From: Ann <ann@a.example>
To: "bob@b.example" <bob@b.example>
Message-ID: <4@a.example>
`}, told{recipients: []string{"bob@b.example failed 5.1.1"}, diagnostic: "RecipNotFound", reporter: "mail.b.example", original: "<4@a.example>"}},
	{"GMX", report.Notice{Text: `This message was created automatically by mail delivery software.
--------------------------------------------------------------------------
A message that you sent could not be delivered to one or more of
its recipients. This is a permanent error. The following address
failed:

"bob@b.example":
SMTP error from remote server after RCPT command:
host: mx.b.example
5.1.1 <bob@b.example>: Recipient address rejected: User unknown

--- The header of the original message is following. ---

Received: from [192.0.2.9] by mail.gmx.example
Subject: Hello
Message-ID: <5@a.example>
`}, told{recipients: []string{"bob@b.example failed 5.1.1"}, diagnostic: "User unknown", original: "<5@a.example>"}},
	{"Mail.ru", report.Notice{Text: `This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  bob@mail.example
    SMTP error from remote mail server after RCPT TO:<bob@mail.example>:
    host mx.mail.example [192.0.2.1]: 550 Message was not accepted -- invalid mailbox.  Local mailbox bob@mail.example is unavailable: user not found

------ This is a copy of the message, including all the headers. ------

Received: from a.example
Subject: Hello
From: ann@a.example
`}, told{recipients: []string{"bob@mail.example failed 5.0.0"}, diagnostic: "user not found", remote: "mx.mail.example", original: "Subject: Hello"}},
	{"CommuniGate", report.Notice{Text: `Failed to deliver to 'bob@b.example'
SMTP module(domain b.example) reports:
 host b.example says:
 550 5.1.1 unknown or illegal alias: bob@b.example
`}, told{recipients: []string{"bob@b.example failed 5.1.1"}, diagnostic: "illegal alias"}},
	{"MDaemon", report.Notice{Text: `The attached message had PERMANENT fatal delivery errors.

Failed address: bob@b.example

--- Session Transcript ---
 Sat 2026-11-21 18:30:00: <-- 250 Ok
 Sat 2026-11-21 18:30:00: --> RCPT To:<bob@b.example>
 Sat 2026-11-21 18:30:00: <-- 550 5.1.1 No such user here
--- End Transcript ---
`}, told{recipients: []string{"bob@b.example failed 5.1.1"}, diagnostic: "No such user here"}},
	{"Sun Messaging Server", report.Notice{Text: `This report relates to a message you sent with the following header fields:

  Message-id: <6@a.example>
  Date: Sat, 21 Nov 2026 18:30:00 +0000
  From: Ann <ann@a.example>
  To: bob@b.example
  Subject: Hello

Your message cannot be delivered to the following recipients:

  Recipient address: bob@b.example
  Reason: Remote SMTP server has rejected address
  Diagnostic code: smtp;550 5.1.1 unknown or illegal alias
  Remote system: dns;mx.b.example (TCP|192.0.2.1|25)
`}, told{recipients: []string{"bob@b.example failed 5.1.1"}, diagnostic: "illegal alias", original: "<6@a.example>"}},
	{"GroupWise", report.Notice{Text: `The message that you sent was undeliverable to the following:
	bob@b.example (user not found)

Possibly truncated original message follows:

`}, told{recipients: []string{"bob@b.example failed 5.0.0"}, diagnostic: "user not found"}},
	{"MMDF", report.Notice{Text: `Your message was not delivered to
  bob@b.example
for the following reason:
 Unknown user: bob
`}, told{recipients: []string{"bob@b.example failed 5.0.0"}}},
	{"Domino", report.Notice{Text: `Your message

  Subject: Hello

was not delivered to:

  bob@b.example

because:

  Error transferring to mx.b.example; SMTP Protocol Returned a Permanent Error 550 5.7.1 Unable to relay
`}, told{recipients: []string{"bob@b.example failed 5.7.1"}, diagnostic: "Unable to relay", original: "subject: Hello"}},
	{"fields in the text", report.Notice{Text: `Technical report:

Reporting-MTA: dns; mail.a.example

Action: failed
Final-Recipient: rfc822; bob@b.example
Diagnostic-Code: smtp; 550 5.1.1 unknown
Status: 5.1.1
`}, told{recipients: []string{"bob@b.example failed 5.1.1"}, diagnostic: "smtp; 550 5.1.1 unknown", reporter: "mail.a.example"}},
	{"a system nobody knows", report.Notice{To: []string{"ann@a.example"}, Original: []string{"bob@b.example"}, Text: `We regret that the letter of ann@a.example is undeliverable.
Ask help@provider.example for help.
`}, told{recipients: []string{"help@provider.example failed 5.0.0"}}},
	{"nobody named", report.Notice{To: []string{"ann@a.example"}, Original: []string{"bob@b.example"}, Text: "Your mail was not delivered. Error 552: too large."},
		told{recipients: []string{"bob@b.example failed 5.0.0"}, diagnostic: "too large"}},
}

func TestRead(t *testing.T) {
	for _, c := range notices {
		t.Run(c.system, func(t *testing.T) {
			r := report.Read(c.notice)
			var got []string
			for _, x := range r.Recipients {
				got = append(got, x.Address+" "+x.Action+" "+x.Status)
			}
			if diff := cmp.Diff(c.want.recipients, got); diff != "" {
				t.Errorf("recipients (-want +got):\n%s", diff)
			}
			if !r.Failure && !r.Delay {
				t.Error("no failure and no delay was seen")
			}
			if c.want.reporter != r.ReportingMTA || !strings.Contains(r.Original, c.want.original) {
				t.Errorf("from %q, of %q; want %q, %q", r.ReportingMTA, r.Original, c.want.reporter, c.want.original)
			}
			if len(r.Recipients) == 0 {
				return
			}
			first := r.Recipients[0]
			if !strings.Contains(first.Diagnostic, c.want.diagnostic) || first.RemoteMTA != c.want.remote || first.Original != c.want.replacement {
				t.Errorf("%+v, want %+v", first, c.want)
			}
		})
	}
}
