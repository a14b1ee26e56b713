package classifier

import (
	"strings"
	"unicode/utf8"
)

// class is a set of things that a word says about a task, whatever its subject.
// The upper 16 bits name the languages in which it is a common word.
type class uint64

// A dozen verbs and nouns of each class carry over to prompts of forms never
// seen, where single words don't.
const (
	classMechanic  class = 1 << iota // rename, convert, translate
	classLookup                      // list, find, count
	classLabel                       // classify, tag, match
	classFix                         // correct, proofread
	classBuild                       // write, implement
	classExplain                     // explain, describe
	classSummarise                   // summarise, outline
	classChange                      // refactor, improve, add
	classDesign                      // design, architect, plan
	classDecide                      // choose, recommend, should
	classDiagnose                    // debug, investigate
	classAssess                      // review, evaluate, critique
	classSmall                       // word, title, date: small results
	classText                        // essay, e-mail: texts to build
	classCode                        // function, test, endpoint
	classDeep                        // strategy, architecture, roadmap
	classTrouble                     // intermittent, leak, hangs
	classTrade                       // trade-off, risk, alternative
	classFormat                      // json, csv, table
	classWhat
	classFact // who, when, where, how many
	classWhich
	classHow
	classWhy
	classYesNo // is, does, can
	classPolite
	classAffirm // yes, ok, go ahead
	classAnaphor
	classStrict // only, exactly, must
	classEach
	classHype
	classFirstPerson
	classRole // act, you are
	classExample
	classMath
	classIdea // ideas, tips, suggestions
	classFollow
	classQuestionMark
	classNegation
	classOption              // options, labels, choices
	classFew                 // one, two, single
	classUnit                // word, sentence, line
	classCourtesy            // of greetings, thanks and pleas, which say nothing of the task
	classes       = iota - 1 // without the last, which only setCourtesyAside reads
)

// Languages by bit, from langShift on.
const langShift = 48

var languages = [...]string{"en", "de", "fr", "es", "pt", "it", "nl", "tr", "pl", "id", "vi", "ru"}

// verb tells verbs of doing.
func (c class) verb() bool {
	const verbs = classMechanic | classLookup | classLabel | classFix | classBuild | classExplain | classSummarise | classChange | classDesign | classDecide | classDiagnose | classAssess
	return c&verbs != 0
}

// opens tells words with which a sentence that asks for something begins.
func (c class) opens() bool {
	const openers = classWhat | classFact | classWhich | classHow | classWhy | classYesNo | classPolite | classAffirm
	return c.verb() || c&openers != 0
}

// table is a hash table from word hash to class, fixed once built.
type table struct {
	keys    [8192]uint64
	classes [8192]class
}

func (t *table) lookup(h uint64) class {
	for i := h * 0x9e3779b97f4a7c15 >> 51; ; i = (i + 1) & 8191 {
		switch t.keys[i] {
		case h:
			return t.classes[i]
		case 0:
			return 0
		}
	}
}

func (t *table) add(h uint64, c class) {
	i := h * 0x9e3779b97f4a7c15 >> 51
	for t.keys[i] != 0 && t.keys[i] != h {
		i = (i + 1) & 8191
	}
	t.keys[i] = h
	t.classes[i] |= c
}

// wordHash is the hash that the tokenizer gives a word, or a pair of
// ideographs.
func wordHash(w string) uint64 {
	h, before := uint64(seed), uint64(0)
	for _, r := range w {
		if ideographic(r) {
			one := markHash(r)
			h, before = pairHash(before, one), one
			continue
		}
		h = (h ^ uint64(foldRune(r))) * prime
	}
	return h
}

var lexicon = func() *table {
	t := &table{}
	for _, l := range lexiconWords {
		for w := range strings.FieldsSeq(l.words) {
			if r, _ := utf8.DecodeRuneInString(w); ideographic(r) && utf8.RuneCountInString(w) != 2 {
				continue
			}
			t.add(wordHash(w), l.class)
		}
	}
	for i, words := range commonWords {
		for w := range strings.FieldsSeq(words) {
			t.add(wordHash(w), 1<<(langShift+i))
		}
	}
	return t
}()

var lexiconWords = []struct {
	class class
	words string
}{
	{classMechanic, `rename convert translate reformat format replace extract copy move delete remove sort capitalize uppercase lowercase
		transform transcribe rewrite rephrase paraphrase reword shorten swap merge split append prepend strip trim round encode decode parse
		normalize normalise deduplicate dedupe redact anonymize fill insert reverse concatenate join change set turn put make send book cancel
		transliterate conjugate pluralize substitute bump
		umbenennen umwandeln konvertiere konvertieren übersetze übersetzen extrahiere formatiere ersetze sortiere lösche entferne kürze umformulieren formuliere
		renomme renommer convertis convertir traduis traduire traduisez extrais extraire remplace remplacer trie supprime reformule reformuler
		renombra convierte traduce traducir traduzca extrae extraer reemplaza ordena elimina borra reescribe
		renomeie converta traduza extraia substitua ordene remova apague reescreva traduzir
		traduci estrai converti sostituisci ordina riscrivi çevir dönüştür sırala terjemahkan ubah переведи переведите замени преобразуй
		翻译 翻譯 转换 轉換 提取 替换 删除 改写 排序 改成 译成 翻訳 変換 抽出 削除 置換 번역 변환 추출 삭제 바꿔`},
	{classLookup, `list find show get count name identify locate search print display fetch retrieve calculate compute sum add subtract
		multiply state give tell look check pick query lookup report determine return output solve
		liste nenne finde zeige zähle berechne suche gib trouve compte calcule cherche donne indique cite enumera encuentra cuenta
		calcula busca muestra dame nombra conte encontre mostre procure elenca trova conta calcola mostra hitung cari tampilkan bul hesapla listele
		найди посчитай перечисли назови вычисли
		列出 查找 计算 計算 查询 找出 统计 是谁 哪个 挙げ 検索 찾아 계산 나열`},
	{classLabel, `classify categorize categorise label tag match assign detect predict rate score rank group sentiment category categories
		klassifiziere ordne einordnen classe classer catégorise clasifica clasificar etiqueta classifique classifica sınıflandır klasifikasikan
		分类 分類 归类 标注 分类 분류`},
	{classFix, `correct fix proofread spellcheck edit validate verify typo grammar spelling punctuation korrigiere korrigieren verbessere corrige corriger
		corrigez corrija corregir correggi düzelt perbaiki исправь
		纠正 修正 校对 改正 語法 语法 訂正 添削 교정 고쳐 맞춤`},
	{classBuild, `write create generate implement build develop compose draft produce code program craft make invent construct prepare provide
		complete script author brainstorm imagine continue pretend simulate
		schreibe schreib schreiben erstelle erstellen verfasse entwickle implementiere programmiere generiere entwerfe
		écris écrire rédige rédiger rédigez crée créer créez génère développe implémente
		escribe escribir crea crear genera redacta redactar desarrolla implementa escriba
		escreva escrever crie criar gere redija desenvolva implemente elabore
		scrivi scrivere crea genera sviluppa implementa yaz oluştur buat buatlah tulis tuliskan viết tạo напиши напишите создай составь
		编写 写一 撰写 生成 创建 实现 创作 設計 作成 書い 実装 생성 작성 만들 써줘 구현`},
	{classExplain, `explain describe elaborate discuss illustrate define introduce clarify teach demonstrate walk overview tutorial meaning
		erkläre erklären beschreibe beschreiben erläutere explique expliquer expliquez décris décrire explica explicar describe describir
		explique descreva explicar spiega spiegare descrivi açıkla anlat jelaskan giải объясни объясните опиши
		解释 解釋 说明 描述 介绍 介紹 讲解 阐述 説明 解説 설명 알려 소개`},
	{classSummarise, `summarize summarise summary outline recap condense synthesize synthesise digest overview tldr highlights
		zusammenfassen zusammenfassung fasse résume résumer résumez résumé resume resumir resumen resuma resumo riassumi riassunto özetle ringkas rangkum tóm
		总结 摘要 概括 总结 归纳 要約 まと 요약 정리`},
	{classChange, `refactor improve update modify extend optimize optimise enhance adapt adjust rework expand simplify migrate upgrade support
		allow enable handle use introduce bump clean deprecate expose port integrate configure setup install
		überarbeite optimiere erweitere améliore améliorer optimise mejora mejorar optimiza actualiza melhore otimize atualize migliora ottimizza geliştir tingkatkan
		улучши обнови 优化 改进 修改 重构 改善 最適 개선 수정 최적`},
	{classDesign, `design architect plan devise strategize structure organize propose formulate conceive blueprint roadmap strategy
		entwirf entwerfen plane planen konzipiere conçois concevoir planifie planifier diseña diseñar planifica planea projete projetar planeje progetta pianifica
		tasarla planla rancang rencanakan спроектируй разработай 设计 规划 制定 策划 方案 設計 計画 설계 기획 계획`},
	{classDecide, `choose decide recommend should advise suggest prioritize prioritise weigh compare select prefer worth better best justify argue
		versus vs or whether recommendation decision advice opinion think
		entscheide entscheiden empfehle empfehlen sollte sollten sollen soll priorisiere vergleiche lohnt besser
		choisir choisis décide décider recommande recommander devrais devrait devrions priorise compare vaut mieux
		elige elegir decide decidir recomienda recomendar debería deberíamos conviene prioriza compara mejor
		escolha escolher decida recomende devo devemos deveria devíamos priorize compare melhor vale
		scegli consiglia dovrei dovremmo conviene meglio seç öner karşılaştır yapmalı sebaiknya pilih bandingkan стоит выбрать лучше сравни
		应该 選擇 选择 建议 是否 比较 推荐 值得 权衡 还是 該不 べき 比較 優先 推奨 どち 추천 비교 결정 선택 할까 좋을`},
	{classDiagnose, `debug diagnose troubleshoot investigate root cause culprit why reproduce suspect isolate bisect hypothesis hypotheses
		diagnostiziere ursache ursachen woran diagnostique diagnostiquer origine cause diagnostica causa investiga origem diagnostique causas
		neden penyebab причина 原因 排查 诊断 根因 调查 定位 調査 原因 원인 진단 분석`},
	{classAssess, `review evaluate assess critique analyze analyse audit judge examine criticize appraise inspect interpret weaknesses feedback
		bewerte bewerten beurteile prüfe analysiere évalue évaluer analyse analyser critique evalúa evaluar analiza analizar revisa
		avalie avaliar analise analisar revise valuta analizza değerlendir evaluasi analisis оцени проанализируй
		评估 评价 分析 审查 評価 分析 検討 평가 검토`},
	{classSmall, `word words sentence title titles name names date dates number numbers label labels letter digit value values email emails
		phone synonym synonyms antonym capital line field fields column row cell entity entities keyword keywords answer integer headline
		slogan caption hashtag hashtags tagline subject typo url id price amount total time year age percentage address command
		wort wörter satz titel datum zahl überschrift mot mots phrase titre date nombre nom palabra frase título fecha número nombre
		palavra frase título data número nome parola kelime cümle kata kalimat слово предложение
		标题 单词 句子 名字 数字 日期 単語 題名 文字 제목 단어 문장`},
	{classText, `essay story article report poem letter blog post speech paragraph proposal memo song lyrics dialogue script novel chapter
		newsletter review presentation guide lesson plan cv resume cover press release documentation readme description tutorial
		screenplay lecture pitch ad advertisement itinerary recipe menu agenda syllabus curriculum exercise quiz
		aufsatz geschichte artikel bericht gedicht brief rede lettre histoire article rapport poème discours carta historia artículo informe poema discurso
		ensayo história artigo relatório poema redação lettera storia articolo hikaye makale mektup cerita artikel surat puisi рассказ статью письмо эссе
		文章 故事 邮件 报告 诗歌 演讲 作文 信件 物語 記事 報告 メー 手紙 이야 기사 보고 편지 에세`},
	{classCode, `function class method module api endpoint script program code app application website component test tests unit library
		package server client query sql regex algorithm implementation parser interface struct loop bug exception handler schema dockerfile
		yaml workflow pipeline cli database bash python javascript typescript java golang rust html css react node flask django kotlin swift
		php ruby matlab pandas numpy pytorch arduino excel formula macro
		funktion klasse fonction classe función clase função fungsi fonksiyon функцию функция программу
		函数 代码 程序 脚本 接口 类的 関数 コー 함수 코드 프로`},
	{classDeep, `strategy architecture roadmap vision policy governance system systems infrastructure migration scale scaling scalability rollout
		organization reorg restructuring acquisition investment pricing budget hiring priorities portfolio plan thesis experiment
		methodology research hypothesis proof prove theorem negotiation stakeholder board runway equity
		strategie architektur konzept stratégie architecture estrategia arquitectura estratégia arquitetura strategia architettura strateji strategi
		стратегию архитектуру 战略 策略 架构 架構 体系 系统 戦略 構成 전략 아키 구조`},
	{classTrouble, `intermittent intermittently sometimes randomly occasionally flaky leak leaks hang hangs hung stuck slow slower latency spike
		spikes deadlock race timeout timeouts crash crashes crashing corrupt corrupted fails failing failed failure outage incident regression
		degraded unexplained weird strange drops spiking stalls memory unknown suddenly
		manchmal sporadisch langsam hängt abstürze parfois lent plante fuite intermitente lento cuelga fuga veces lentidão trava vazamento às
		lambat kadang иногда тормозит 偶尔 间歇 变慢 泄漏 卡住 崩溃 故障 たま 遅く 障害 가끔 느려 장애 누수`},
	{classTrade, `tradeoff tradeoffs trade off offs pros cons risk risks alternative alternatives options option consequence consequences
		drawback drawbacks downside downsides advantage advantages disadvantage disadvantages implications impact cost costs benefit benefits
		constraint constraints budget dilemma against versus failure modes
		vorteile nachteile risiken abwägen avantages inconvénients risques ventajas desventajas riesgos vantagens desvantagens riscos
		vantaggi svantaggi rischi avantaj risiko плюсы минусы риски 利弊 风险 优缺 权衡 取舍 リス 長所 短所 장단 위험`},
	{classFormat, `json csv xml yaml markdown table html tsv bullet bullets column columns format list latex toml tabelle tableau tabla tabela
		格式 表格 列表 形式 표로 형식`},
	{classWhat, `what what's whats was welche que quel quelle qué cuál qual quais cosa quale ne nedir apa gì что 什么 何で 何を 무엇 뭐야`},
	{classFact, `who when where whom whose wer wann wo qui quand où quién cuándo dónde quem quando onde chi dove kim nerede siapa kapan dimana
		кто когда где many much old tall far long 多少 几个 谁是 哪里 何時 いく だれ 누가 언제 어디 몇개`},
	{classWhich, `which welcher welches welchem lequel laquelle cuáles hangi mana какой какая 哪个 哪些 どの 어느 어떤`},
	{classHow, `how how's wie comment cómo como come nasıl bagaimana как 如何 怎么 怎样 どう 어떻`},
	{classWhy, `why warum weshalb wieso pourquoi porqué perché neden mengapa kenapa почему 为什 为何 なぜ どう 왜이`},
	{classYesNo, `is are does do did can could would will has have was were am may must ist sind kann hat peut es son puede
		é são pode è sono può adakah apakah можно 是不 能否 可以`},
	{classPolite, `please kindly could would can bitte könntest könnten würdest s'il plaît pourriez pourrais favor podrías puedes podría você
		poderia pode favor puoi potresti lütfen tolong mohon пожалуйста thanks thank danke merci gracias obrigado grazie teşekkürler спасибо
		hello hi hey hallo bonjour hola olá ciao merhaba halo привет 你好 谢谢 麻烦 帮我 请你 请帮 請幫 お願 くだ 감사 부탁 주세`},
	{classAffirm, `yes yep yeah ok okay sure go ahead proceed continue sounds good great perfect approved agreed fine exactly right lgtm ship done
		correct absolutely definitely ja gut mach weiter genau los einverstanden oui d'accord parfait sí vale perfecto adelante hazlo sim perfeito
		certo claro faça sì va bene evet tamam ya oke да хорошо давай 好的 可以 继续 行吧 没错 はい 了解 続け 네네 좋아 계속 그래`},
	{classAnaphor, `it that this these those them they same again too also other others rest another above previous last one both
		next instead es das dies diese dasselbe gleiche auch cela ça même aussi pareil ceci eso esto mismo igual también isso isto mesmo também
		stesso anche questo aynı bunu juga sama itu это тоже 同样 这个 那个 也是 一样 同じ これ それ 同様 같은 이것 그것 나머`},
	{classStrict, `only exactly must without just nothing single following below given above strictly respond reply answer output return
		nur genau ohne uniquement exactement sans solo sólo exactamente sin apenas somente exatamente sem soltanto senza sadece hanya только
		只需 仅仅 直接 不要 只要 のみ だけ 오직 반드`},
	{classEach, `each every all per both any list everything entire whole jede jeden alle alles chaque tous toutes cada todos todas ogni tutti tüm
		her setiap semua каждый все 每个 所有 全部 各个 すべ 全て 모든 각각`},
	{classHype, `urgent extremely complex complicated critical expert genius important carefully deeply think smartest powerful
		best advanced senior professional top maximum ultra hard difficult challenging asap simple quick easy quickly simply
		dringend komplex urgente complejo complexo complexe 紧急 复杂 重要 简单 難し 複雑 긴급 복잡 중요`},
	{classFirstPerson, `i we our my us me i'm we're i've we've ich wir unser unsere mein je nous notre nos mon yo nosotros nuestro nuestra mi
		eu nós nosso nossa meu minha noi nostro ben biz kami saya я мы наш 我们 我的 私た 私は 우리 저희`},
	{classRole, `act role persona you're assistant expert pretend roleplay character agent rolle agis agir actúa actuar atue aja 扮演 角色 充当 役割 역할`},
	{classExample, `example examples instance sample samples input output beispiel exemple ejemplo exemplo esempio örnek contoh пример 例如 例子 示例 サン 예시`},
	{classMath, `equation solve integral derivative probability percent sum product divided equals triangle angle radius prime polynomial matrix
		calculate arithmetic fraction gleichung équation ecuación equação equazione 方程 概率 面积 求解 方程 確率 방정 확률`},
	{classIdea, `ideas idea tips tip ways suggestions examples reasons advice things activities steps techniques methods practices
		ideen tipps idées conseils ideas consejos ideias dicas idee consigli fikir ide идеи советы 想法 技巧 方法 建议 アイ 方法 아이 방법`},
	{classFollow, `now then next also another more again instead further additionally besides follow finally jetzt dann noch ensuite maintenant
		ahora luego después agora depois adesso poi şimdi sekarang теперь 然后 现在 接下 次に では 이제 그럼 다음`},
	{classFew, `one two three four five single few couple ein eine zwei drei einem une deux trois uno dos tres um dois três due`},
	{classUnit, `word words sentence sentences line lines paragraph character characters wort wörter satz sätze sätzen zeile mot mots phrase phrases
		ligne palabra palabras frase frases línea palavras linha parola parole`},
	{classCourtesy, `hello hi hey dear there good morning afternoon evening i hope you you're are is well doing having a great nice day could can would will please
		kindly help me with this that the following below thank thanks thx so very much in advance appreciate appreciated it your for regards best cheers
		sincerely be if my request question task something to and need assistance sorry bother many lot
		extremely complex complicated urgent use most powerful model smartest think hard as carefully difficult critical important asap
		hallo guten tag morgen liebe grüße danke vielen dank bitte könnten könntest sie du mir helfen dabei im voraus ich hoffe es geht ihnen dir gut
		bonjour salut merci beaucoup d'avance par s'il vous te plaît pouvez pourriez m'aider aider avec ceci j'espère que allez bien cordialement
		hola buenos días buenas tardes gracias de antemano muchas por favor podrías puedes ayudarme con esto espero que estés bien saludos
		olá oi bom dia boa tarde obrigado obrigada antecipadamente você poderia me ajudar com isso espero que esteja bem abraços
		你好 您好 好请 请帮 帮我 请你 谢谢 多谢 非常 感谢 麻烦 劳驾 助我 一下 下面 こん にち んに ちは お願 願い いし しま ます すみ みま ませ せん りが とう ござ ざい いま
		안녕 녕하 하세 세요 감사 사합 합니 니다 부탁 탁드 드려 려요 고마 마워 워요`},
	{classNegation, `not don't doesn't didn't isn't never no can't won't cannot nicht kein keine pas jamais nunca não nein non нет не 不要 不能 没有 ない 않는 안돼`},
	{classOption, `options choices labels answers candidates alternatives possible following true false positive negative neutral multiple choice
		entailment contradiction neither 选项 选择 以下 選択 다음 보기`},
}

// commonWords are frequent short words of each of languages, in its order.
var commonWords = [...]string{
	`the of a my i can do me about should we its was has was their they and to in is that for it with as on be this are from at by an or you your have not what how can which`,
	`diesen diese auf alle wäre zwei sag uns unser und unsere der die das und ist nicht ein eine einen dem den des mit für auf zu von wie was wir ich sie es im bei oder auch sich als nach über wird sind`,
	`l'orthographe cette ces mon ma ses je te me qu'il c'est un une donne le la les et est un une des du de que qui dans pour pas sur avec par au ce cette nous vous je en il elle sont ou mais plus`,
	`sobre este estas nuestra nuestro dame un dos corrige ortografía el la los las y es un una de del que en por para con no se su al lo como más pero sus le ya o este esta qué cómo`,
	`esta este sobre nossa nosso um dois você qual o os as e é um uma de do da dos das que em no na por para com não se seu sua ao mais mas como ou você está são`,
	`il lo la gli e è un una di del della che in per con non si da al come più ma sono nel alla questo cosa mi`,
	`het een en is niet van dat in op te voor met zijn aan er om ik je we naar bij ook als deze hoe wat`,
	`ve bir bu için ile de da ne mi çok olarak olan gibi daha var nasıl ben sen bana en ama`,
	`i w na nie to się z jest do że jak o co po dla za od ale czy są jego tym tego przez`,
	`yang dan di untuk dengan ini itu dari dalam tidak ke pada adalah saya apa bagaimana akan oleh atau bisa sebuah`,
	`và của là có cho một trong không được các với tôi những này người khi đã để bạn như về`,
	`и в не на что с как это по для из к у от но он мы вы я или же бы за так чтобы`,
}
