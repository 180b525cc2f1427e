package reply

// A line above a quote is built from four things: a word that opens it, a date, an address, and a verb of saying. This
// table has the words, language by language, as mail programs write them, in lower case. A program in a language that is
// not here is still understood when its line has a date, an address in angle brackets and a colon at its end.
//
// opens: words that begin the line, days of the week included where a program begins with them. says: what stands for
// "wrote", at the end of the line or before the name.
var attributionWords = []struct {
	language string
	opens    []string
	says     []string
}{
	{"English", []string{"on", "at", "mon", "tue", "wed", "thu", "fri", "sat", "sun", "monday", "tuesday", "wednesday", "thursday",
		"friday", "saturday", "sunday", "in a message dated", "quoting"}, []string{"wrote", "writes"}},
	{"German", []string{"am", "mo", "di", "mi", "do", "fr", "sa", "so", "montag", "dienstag", "mittwoch", "donnerstag", "freitag",
		"samstag", "sonntag", "zitat von"}, []string{"schrieb", "schrieb am", "geschrieben", "hat geschrieben", "schreibt"}},
	{"French", []string{"le", "lun", "mar", "mer", "jeu", "ven", "sam", "dim", "en date de", "dans le courriel du"},
		[]string{"a écrit", "a ecrit", "écrit", "ecrit", "a envoyé"}},
	{"Spanish", []string{"el", "lun", "mié", "jue", "vie", "sáb", "dom", "en"}, []string{"escribió", "escribio", "ha escrito", "escribía"}},
	{"Portuguese", []string{"em", "no dia", "a", "às", "seg", "ter", "qua", "qui", "sex", "na"}, []string{"escreveu", "escrevera"}},
	{"Italian", []string{"il", "in data", "il giorno", "gio", "alle"}, []string{"ha scritto", "scrisse", "scriveva", "scritto"}},
	{"Catalan", []string{"missatge de", "el dia", "dl", "dt", "dc", "dj", "dv", "ds", "dg"}, []string{"va escriure", "ha escrit"}},
	{"Galician", []string{"o", "o día"}, []string{"escribiu"}},
	{"Romanian", []string{"în", "in", "pe", "la", "lun", "joi", "vin", "sâm"}, []string{"a scris"}},
	{"Dutch", []string{"op", "ma", "di", "wo", "do", "vr", "za", "zo"}, []string{"schreef", "geschreven", "het volgende geschreven", "heeft geschreven"}},
	{"Danish", []string{"den", "d", "man", "tirs", "ons", "tors", "fre", "lør", "søn"}, []string{"skrev", "har skrevet", "skrev følgende"}},
	{"Norwegian", []string{"på", "tir", "tor"}, []string{"skreiv", "skrev følgende"}},
	{"Swedish", []string{"mån", "tis", "lör", "sön"}, []string{"skrev följande"}},
	{"Icelandic", []string{"þann", "þri", "mið", "fim", "fös"}, []string{"skrifaði"}},
	{"Finnish", []string{"ti", "ke", "to", "pe", "la", "su", "päivämäärä"}, []string{"kirjoitti"}},
	{"Estonian", []string{"kuupäeval"}, []string{"kirjutas", "kirjutas kuupäeval"}},
	{"Latvian", []string{"pirmd", "otrd", "trešd", "ceturtd", "piektd", "sestd", "svētd"}, []string{"rakstīja", "rakstīja:"}},
	{"Lithuanian", []string{"pr", "an", "tr", "kt", "pn", "št", "sk"}, []string{"rašė", "parašė"}},
	{"Polish", []string{"w dniu", "dnia", "wiadomość napisana przez", "pon", "wt", "śr", "czw", "pt", "sob", "niedz"}, []string{"napisał", "napisała", "napisał(a)", "napisano", "pisze"}},
	{"Czech", []string{"dne", "po", "út", "st", "čt", "pá", "ne"}, []string{"napsal", "napsala", "napsal(a)", "napsal/a"}},
	{"Slovak", []string{"dňa", "ut", "št", "pi", "pondelok", "utorok"}, []string{"napísal", "napísala", "napísal(a)", "napísal/a"}},
	{"Slovene", []string{"dne", "v", "pon", "tor", "sre", "čet", "pet", "ned"}, []string{"je napisal", "je napisala", "je oseba", "napisal/a"}},
	{"Croatian", []string{"dana", "uto", "sri", "sub", "ned"}, []string{"napisao je", "napisala je", "je napisao", "je napisao/la", "piše", "napisao"}},
	{"Serbian", []string{"дана", "пон", "уто", "сре", "чет", "пет", "суб", "нед"}, []string{"је написао", "је написала", "је написао/ла", "написао"}},
	{"Macedonian", []string{"на", "вто", "саб"}, []string{"напиша"}},
	{"Hungarian", []string{"ezen a napon", "dátum"}, []string{"ezt írta", "írta", "a következőt írta"}},
	{"Turkish", []string{"tarihinde"}, []string{"yazdı", "şunu yazdı", "şunları yazdı", "tarihinde şunu yazdı", "yazmış"}},
	{"Greek", []string{"στις", "την"}, []string{"έγραψε", "έγραψαν"}},
	{"Albanian", []string{"më"}, []string{"shkroi"}},
	{"Russian", []string{"пн", "вт", "ср", "чт", "пт", "сб", "вс", "понедельник", "вторник", "среда", "четверг", "пятница", "суббота",
		"воскресенье", "от", "в"}, []string{"написал", "написала", "написал(а)", "пишет", "пользователь", "писал", "писала", "писали"}},
	{"Ukrainian", []string{"нд", "о"}, []string{"пише", "написав", "написала", "написав(ла)"}},
	{"Belarusian", []string{"у"}, []string{"напісаў", "піша"}},
	{"Bulgarian", []string{"на", "нд"}, []string{"написа"}},
	{"Vietnamese", []string{"vào", "vào ngày", "lúc", "ngày"}, []string{"đã viết", "viết"}},
	{"Indonesian", []string{"pada", "tanggal", "pada tanggal"}, []string{"menulis"}},
	{"Malay", []string{"pada"}, []string{"telah menulis"}},
	{"Thai", []string{"เมื่อ", "เมื่อวัน", "ในวันที่", "วันที่"}, []string{"เขียนว่า", "เขียน"}},
	{"Hindi", []string{"को", "सोम", "मंगल", "बुध", "गुरु", "शुक्र", "शनि", "रवि"}, []string{"ने लिखा"}},
	{"Hebrew", []string{"בתאריך", "ביום", "ב", "מאת"}, []string{"כתב", "כתבה", "כתב/ה", "נכתב"}},
	{"Arabic", []string{"في", "بتاريخ", "في يوم"}, []string{"كتب", "كتبت", "كتب/ت", "تمت كتابة ما يلي بواسطة", "كتب ما يلي"}},
	{"Persian", []string{"در", "در تاریخ"}, []string{"نوشت", "نوشته است", "نوشته\u200cاست"}},
	{"Chinese", []string{"在", "于", "於"}, []string{"写道", "寫道", "撰写", "编写", "写到", "下写道", "撰寫"}},
	{"Japanese", []string{"日時"}, []string{"書きました", "書き込みました", "のメール", "のメッセージ", "さんは書きました", "に書き込みました"}},
	{"Korean", []string{"일시"}, []string{"작성", "님이 작성", "메시지", "님이 작성한 메시지", "님이 썼습니다", "에 쓴 글"}},
	{"Esperanto", []string{"je", "la"}, []string{"skribis"}},
	{"Basque", []string{"igorlea"}, []string{"idatzi du", "igorleak hau idatzi du"}},
	{"Welsh", []string{"ar"}, []string{"ysgrifennodd"}},
	{"Irish", []string{"ar an"}, []string{"scríobh"}},
	{"Swahili", []string{"mnamo"}, []string{"aliandika"}},
	{"Filipino", []string{"noong"}, []string{"sinulat ni", "isinulat"}},
	{"Afrikaans", []string{"op"}, []string{"geskryf", "het geskryf"}},
}
