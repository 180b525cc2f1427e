package reply

// sentFrom is what programs on phones put below a mail, in lower case. A line is such a signature when it begins with one of
// these and goes on with nothing, or with the name of a device or of a program.
var sentFrom = []struct {
	language string
	begins   []string
}{
	{"English", []string{"sent from my", "sent from", "sent via", "sent using", "sent with", "sent by", "get outlook for", "sent on the go", "sent on a",
		"sent on my", "sent in", "get bluemail for", "yahoo mail: search, organize, conquer", "typed on my", "from my", "via mobile", "sent out from my"}},
	{"German", []string{"von meinem", "gesendet von", "gesendet mit", "von unterwegs gesendet", "gesendet über", "gesendet aus",
		"diese nachricht wurde von meinem", "diese nachricht wurde von", "gesendet via", "mobil gesendet", "laden sie outlook für", "holen sie sich outlook für"}},
	{"French", []string{"envoyé de mon", "envoyé depuis", "envoyé à partir de", "envoyé avec", "envoyé via", "envoyé du", "envoyé par", "obtenez outlook pour",
		"télécharger outlook pour", "télécharger bluemail pour", "envoyé de ma", "envoyé d'un", "provenance", "envoyé de", "de mon"}},
	{"Spanish", []string{"enviado desde", "enviado de mi", "enviado con", "enviado a través de", "obtener outlook para", "descargar outlook para", "enviado por"}},
	{"Portuguese", []string{"enviado do meu", "enviado a partir", "enviado do", "enviado via", "enviado pelo", "enviado de", "obter o outlook para", "obtenha o outlook para", "enviada do meu"}},
	{"Italian", []string{"inviato da", "inviato dal", "inviato con", "inviato via", "ottieni outlook per", "scarica outlook per", "inviato tramite"}},
	{"Catalan", []string{"enviat des", "enviat del meu"}},
	{"Romanian", []string{"trimis de pe", "trimis din", "trimis de la", "obțineți outlook pentru"}},
	{"Dutch", []string{"verzonden vanaf", "verstuurd vanaf", "verzonden met", "verstuurd met", "verstuurd vanuit", "verzonden vanuit", "verzonden via"}},
	{"Danish", []string{"sendt fra", "sendt via", "hent outlook til", "sendt med"}},
	{"Norwegian", []string{"skaff deg outlook for", "sendt frå"}},
	{"Swedish", []string{"skickat från", "skickades från", "hämta outlook för", "skickat via", "skickat med"}},
	{"Finnish", []string{"lähetetty", "lähetin tämän", "hanki outlook"}},
	{"Estonian", []string{"saadetud minu", "saadetud"}},
	{"Lithuanian", []string{"išsiųsta iš", "siųsta iš"}},
	{"Latvian", []string{"sūtīts no", "nosūtīts no"}},
	{"Polish", []string{"wysłane z", "wysłano z", "wysłane przez", "pobierz outlook dla", "wysłane ze", "wysłano ze", "uzyskaj outlooka dla"}},
	{"Czech", []string{"odesláno z", "odesláno ze", "posláno z", "získat outlook pro", "odesláno pomocí"}},
	{"Slovak", []string{"odoslané z", "odoslané zo", "získať outlook pre", "poslané z"}},
	{"Slovene", []string{"poslano iz", "poslano z"}},
	{"Croatian", []string{"poslano s", "poslato sa", "poslano sa", "poslato iz", "nabavite outlook za"}},
	{"Hungarian", []string{"elküldve az", "küldve a", "iphone-omról küldve", "küldve az", "az iphone-omról küldve", "outlook beszerzése"}},
	{"Turkish", []string{"iphone'umdan gönderildi", "iphone’umdan gönderildi", "ipad'imden gönderildi", "ipad’imden gönderildi", "android'den gönderildi",
		"samsung cihazımdan gönderildi", "android uygulamasından gönderildi", "ios için outlook"}},
	{"Greek", []string{"στάλθηκε από", "εστάλη από", "αποστολή από"}},
	{"Russian", []string{"отправлено с", "отправлено из", "отправлено со", "отправлено через", "послано с", "отправлено от", "пользователь отправил с", "скачать outlook для", "с уважением, отправлено"}},
	{"Ukrainian", []string{"надіслано з", "надіслано із", "відправлено з", "отримати outlook для"}},
	{"Bulgarian", []string{"изпратено от", "изпратен от"}},
	{"Serbian", []string{"послато са", "послато из"}},
	{"Vietnamese", []string{"đã gửi từ", "được gửi từ", "gửi từ", "tải outlook cho"}},
	{"Indonesian", []string{"dikirim dari", "terkirim dari", "dapatkan outlook untuk", "dikirim via"}},
	{"Thai", []string{"ส่งจาก", "ส่งจากของฉัน", "รับ outlook"}},
	{"Hebrew", []string{"נשלח מה", "נשלח מ", "נשלח ב", "קבל את outlook"}},
	{"Arabic", []string{"أرسلت من", "مرسل من", "تم الإرسال من", "أُرسلت من", "الحصول على outlook", "أرسل من"}},
	{"Persian", []string{"فرستاده شده از", "ارسال شده از", "ارسال\u200cشده از"}},
	{"Hindi", []string{"मेरे iphone से", "मेरे android"}},
	{"Chinese", []string{"发自我的", "发自", "發自我的", "從我的", "从我的", "來自我的", "来自我的", "獲取 outlook", "获取 outlook", "下载 outlook", "寄自我的", "由我的"}},
	{"Japanese", []string{"iphoneから送信", "ipadから送信", "androidから送信", "私のiphone", "私のipad", "iphone から送信", "android から送信", "スマートフォンから送信",
		"iosから送信"}},
	{"Korean", []string{"나의 iphone", "내 iphone", "iphone에서 보냄", "ipad에서 보냄", "android에서 보냄", "나의 갤럭시", "내 갤럭시", "나의 ipad", "galaxy에서 보냄", "ios용 outlook", "네이버 메일 앱",
		"android용 outlook"}},
}

// sentFromEnds stand behind the name of the author.
var sentFromEnds = []string{" via mobile", " from mobile", " von unterwegs", " depuis mon mobile", " desde el móvil"}

// sentFromLast end such a signature in languages that put the device first.
var sentFromLast = []string{"から送信", "を入手", "에서 보냄", "다운로드", "dan gönderildi", "den gönderildi", " beziehen", " downloaden"}

// apologies follow such a signature: "please excuse any typos".
var apologies = []string{"excuse", "typo", "brevity", "forgive", "pardon", "spelling", "tippfehler", "kürze", "fautes", "brièveté", "erratas", "disculpe", "desculpe"}

// devices are words of which a signature of a phone or a program has at least one. Those of three letters stand alone.
var devices = []string{
	"iphon", "ipad", "ipod", "ios", "android", "blackberry", "blackberr", "galaxy", "samsung", "huawei", "xiaomi", "redmi", "nokia", "lumia", "xperia",
	"motorola", "oneplus", "pixel", "htc", "honor", "oppo", "vivo", "palm", "treo", "windows phone", "windows mobile", "windows mail", "windows 10",
	"windows 11", "surface", "smartphone", "smart phone", "mobile phone", "mobile device", "mobile", "cell phone", "handheld", "wireless", "tablet",
	"outlook", "yahoo", "mail.ru", "yandex", "gmail", "proton", "aol", "gmx", "web.de", "k-9", "k9", "thunderbird", "sparrow", "mailbox", "airmail", "spark",
	"edison", "bluemail", "fairemail", "nine", "mailspring", "superhuman", "hey", "zoho", "tutanota", "tuta", "fastmail", "postbox", "canary", "boxer", "aquamail", "newton",
	"windows", "cell", "phone", "telekom", "verizon", "t-mobile", "at&t", "orange", "bouygues", "vodafone", "o2", "docomo", "mail app", "mail for", "my phone", "mac", "macbook",
	"apple watch", "myphone", "telefon", "téléphone", "teléfono", "telefone", "telefono", "móvil", "celular", "handy", "mobil", "mobiel", "mobilnego", "телефон", "смартфон",
	"айфон", "手机", "手機", "電話", "スマートフォン", "携帯", "휴대폰", "스마트폰", "นที่", "อุปกรณ์", "الهاتف", "هاتفي", "הטלפון", "הסמארטפון", "điện thoại", "ponsel",
	"갤럭시", "네이버", "网易", "qq邮箱", "foxmail", "新浪邮箱", "邮箱大师",
}
