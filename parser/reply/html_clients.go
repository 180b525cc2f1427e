package reply

// What the mark-up of a mail program says of the element that has it.
type markup uint8

const (
	marksNothing     markup = iota
	marksQuote              // the element holds other people's words
	marksRest               // from the element on, all is other people's words
	marksAttribution        // the element is the line above a quote
	marksSignature          // the element is a signature
)

// htmlMarks are the classes and ids by which mail programs mark what they put into a mail. A name matches when it is the
// whole class or id, in any case.
var htmlMarks = []struct {
	program string
	marks   markup
	names   []string // classes and ids
}{
	{"Gmail", marksAttribution, []string{"gmail_attr"}},
	{"Gmail", marksSignature, []string{"gmail_signature", "gmail_signature_prefix"}},
	{"Outlook on the web, Outlook for phones", marksRest, []string{"divRplyFwdMsg", "appendonsend", "x_appendonsend"}},
	{"Outlook for Windows and Mac, new", marksQuote, []string{"mail-editor-reference-message-container"}},
	{"Outlook on the web, Outlook for phones", marksSignature, []string{"Signature", "ms-outlook-mobile-signature", "divSignature"}},
	{"Outlook for Mac", marksQuote, []string{"OLK_SRC_BODY_SECTION"}},
	{"Outlook Express", marksRest, []string{"OutlookMessageHeader"}},
	{"Hotmail", marksRest, []string{"stopSpelling"}},
	{"Thunderbird", marksAttribution, []string{"moz-cite-prefix", "moz-email-headers-table"}},
	{"Thunderbird", marksSignature, []string{"moz-signature"}},
	{"Thunderbird", marksQuote, []string{"moz-forward-container"}},
	{"Yahoo", marksQuote, []string{"yahoo_quoted", "yahooquoted"}},
	{"Yahoo", marksSignature, []string{"yahoo_signature", "signature"}},
	{"Proton", marksQuote, []string{"protonmail_quote"}},
	{"Proton", marksSignature, []string{"protonmail_signature_block"}},
	{"Tuta", marksQuote, []string{"tutanota_quote"}},
	{"Zoho", marksQuote, []string{"zmail_extra", "zmail_extra_hr"}},
	{"Zoho", marksSignature, []string{"zmail_signature_below"}},
	{"Zimbra", marksRest, []string{"zwchr"}},
	{"NetEase", marksQuote, []string{"isReplyContent", "isForwardContent", "ntes-mailmaster-quote"}},
	{"Mail.ru", marksQuote, []string{"mail-quote-collapse"}},
	{"Spark", marksQuote, []string{"messageReplySection"}},
	{"Front", marksQuote, []string{"front-blockquote"}},
	{"Newton", marksQuote, []string{"history_container"}},
	{"Polymail, Airmail", marksQuote, []string{"bloop_original_html", "airmail_original"}},
	{"Edison", marksQuote, []string{"edo-original"}},
	{"Superhuman", marksQuote, []string{"sh-quoted-content"}},
	{"K-9, FairEmail", marksQuote, []string{"k9mail-quote", "fairemail_quote"}},
	{"K-9, FairEmail", marksSignature, []string{"k9mail-signature", "fairemail_signature"}},
	{"Mimestream", marksSignature, []string{"mimestream-signature"}},
	{"Windows Mail", marksSignature, []string{"data-signatureblock"}},
}

// htmlStyles are what Outlook for Windows has instead: a line drawn above the header block. White space and case aside.
var htmlStyles = []string{
	"border:none;border-top:solid#",
	"border:none;border-top:solidwindowtext",
	"border-top-color:rgb(229,229,229);border-top-width:1px;border-top-style:solid",
	"border-top:1pxsolid#e5e5e5",
}
