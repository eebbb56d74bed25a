"""Names that settle which side of a dash is the artist, when the title itself does not say.

A short list of performers, composers and works (films, games, series) that piano covers
name most. It decides order only: nobody is put aside for not being in it.
"""

from symmv_builder.crawl.titles.words import fold, is_latin, word_set

_PERFORMERS = """
abba|ac dc|adele|aerosmith|a-ha|akon|alan walker|alec benjamin|alessia cara|alicia keys
andrea bocelli|anne-marie|arctic monkeys|ariana grande|aurora|ava max|avicii|avril lavigne
axwell ingrosso|bastille|bad bunny|backstreet boys|bebe rexha|bee gees|benson boone|beyonce
billie eilish|billy joel|birdy|the black eyed peas|blackpink|blink-182|bob dylan|bob marley
bon jovi|boyce avenue|britney spears|bruno mars|bryan adams|bts|calum scott|calvin harris
camila cabello|cardi b|carly rae jepsen|celine dion|chris brown|christina aguilera
christina perri|clean bandit|coldplay|conan gray|the cranberries|cyndi lauper|daft punk
daddy yankee|david bowie|david guetta|dean lewis|demi lovato|depeche mode|dire straits|dj snake
doja cat|dolly parton|drake|dua lipa|duncan laurence|eagles|ed sheeran|ellie goulding|elton john
elvis presley|eminem|enrique iglesias|eric clapton|eurythmics|evanescence|fall out boy
fleetwood mac|florence + the machine|florence and the machine|flo rida|frank sinatra
foo fighters|foreigner|fun.|gayle|george michael|gloria gaynor|glass animals|gnash|gorillaz
gotye|green day|guns n' roses|guns n roses|hailee steinfeld|halsey|harry styles|hozier
imagine dragons|indila|james arthur|james blunt|james bay|jason derulo|jason mraz|jay-z
jennifer lopez|jessie j|john legend|john lennon|johnny cash|jonas brothers|joji|jp cooper
julia michaels|jvke|justin bieber|justin timberlake|kaleo|kanye west|katy perry|kate bush
kelly clarkson|keane|ke$ha|kesha|khalid|kodaline|kygo|labrinth|lady gaga|lana del rey|lauv
leonard cohen|leona lewis|lewis capaldi|lil nas x|linkin park|lionel richie|little mix
liam payne|lizzo|loreen|lorde|lord huron|louis tomlinson|louis armstrong|luis fonsi|lukas graham
maluma|mariah carey|mark ronson|maroon 5|marshmello|martin garrix|maneskin|metallica
meghan trainor|michael buble|michael jackson|miley cyrus|mitski|mumford & sons|muse
my chemical romance|naughty boy|nena|ne-yo|niall horan|nickelback|nicki minaj|nirvana|oasis
odesza|olivia rodrigo|one direction|onerepublic|owl city|panic! at the disco|passenger
pharrell williams|phil collins|pink floyd|p!nk|pitbull|plain white t's|porter robinson
post malone|queen|radiohead|rag'n'bone man|ray charles|red hot chili peppers|rem|rihanna
rick astley|robbie williams|rosa linn|ruth b|sabrina carpenter|sam smith|scorpions|secret garden
selena gomez|shakira|shawn mendes|sia|simon & garfunkel|simon and garfunkel|sigur ros|skrillex
snow patrol|spandau ballet|stephen sanchez|stevie wonder|sting|stromae|system of a down|sza
taylor swift|tears for fears|the animals|the beatles|the beach boys|the chainsmokers|the clash
the fray|the killers|the kid laroi|the lumineers|the neighbourhood|the police|the rolling stones
the script|the verve|the weeknd|the cure|the doors|the goo goo dolls|goo goo dolls
three days grace|tom odell|toto|tones and i|toni braxton|tracy chapman|travis scott|troye sivan
twenty one pilots|u2|vance joy|vanessa carlton|whitney houston|wham!|wiz khalifa|years & years
zara larsson|zayn|zedd|5 seconds of summer|50 cent|a great big world|x ambassadors|xxxtentacion
juice wrld|lil peep|powfu|the cinematic orchestra|m83|mgmt|mr.kitty|the xx|tame impala
one republic|ill nino|dido|enya|evan call|gary jules|james horner|kansas|led zeppelin|nightwish
rammstein|within temptation|apocalyptica|slipknot|korn|bring me the horizon|paramore|tate mcrae
gracie abrams|noah kahan|chappell roan|d4vd|steve lacy|dermot kennedy|sasha sloan|ruelle|fleurie
tommee profitt|zevia|rosé|rose|jennie|lisa|jungkook|jung kook|jimin|v|suga|agust d|iu|exo|twice
red velvet|stray kids|newjeans|seventeen|le sserafim|aespa|itzy|txt|got7|bigbang|big bang|psy
2ne1|girls' generation|mamamoo|taeyeon|baekhyun|akmu|day6|zion.t|crush|paul kim|heize|ive
(g)i-dle|gidle|아이유|방탄소년단|블랙핑크|태연|에일리|볼빨간사춘기|악동뮤지션|폴킴|10cm|잔나비
성시경|이선희|박효신|임영웅|백예린|米津玄師|kenshi yonezu|yoasobi|ado|aimer|official髭男dism
official hige dandism|あいみょん|aimyon|king gnu|radwimps|back number|優里|yuuri|ヨルシカ
yorushika|ずっと真夜中でいいのに。|zutomayo|藤井風|藤井 風|fujii kaze|宇多田ヒカル|hikaru utada
utada hikaru|スピッツ|spitz|中島みゆき|mrs. green apple|bump of chicken|one ok rock|eve|vaundy
initial'd|初音ミク|hatsune miku|deco*27|ハチ|wowaka|kanaria|supercell|egoist|fhána|リラックマ
x japan|yui|milet|reona|natori|creepy nuts|tuki.|imase|tani yuuki|sekai no owari|いきものがかり
sawano hiroyuki|hiroyuki sawano|claris|kalafina|linked horizon|myth & roid|きのこ帝国|周杰倫
周杰伦|jay chou|林俊傑|林俊杰|jj lin|鄧紫棋|邓紫棋|g.e.m.|五月天|mayday|陳奕迅|陈奕迅|eason chan
孫燕姿|孙燕姿|王菲|faye wong|鄧麗君|邓丽君|teresa teng|薛之謙|薛之谦|蔡依林|田馥甄|李榮浩|李荣浩
周深|毛不易|кино|виктор цой|земфира|сплин|би-2|ddt|ддт|баста|макс корж|мот|jony|zivert
полина гагарина|мумий тролль|алла пугачёва|дима билан|монеточка|molchat doma|молчат дома
hammali & navai|miyagi|rauf & faik|t.a.t.u.|fairuz|فيروز|عمرو دياب|amr diab|nancy ajram
نانسي عجرم|أم كلثوم|kazem al saher|كاظم الساهر|حسين الجسمي|עומר אדם|עידן רייכל|אריק איינשטיין
שלמה ארצי|νίκος βέρτης|nikos vertis|παντελής παντελίδης|μάνος χατζιδάκις|tarkan|sezen aksu
barış manço|mabel matiz|duman|teoman|sertab erener|arijit singh|a.r. rahman|a r rahman
atif aslam|shreya ghoshal|pritam|kishore kumar|lata mangeshkar|neha kakkar|jubin nautiyal
anirudh|sid sriram|edith piaf|charles aznavour|jacques brel|zaz|louane|mylene farmer
francis cabrel|joe dassin|jean-jacques goldman|gims|maitre gims|slimane|vianney|angele
kendji girac|laura pausini|eros ramazzotti|tiziano ferro|ligabue|vasco rossi|lucio dalla
fabrizio de andre|ludovico einaudi|zucchero|mahmood|ultimo|herbert gronemeyer|helene fischer
mark forster|max giesinger|die arzte|die toten hosen|udo jurgens|cro|juanes|carlos vives|karol g
j balvin|ozuna|sebastian yatra|camilo|reik|sin bandera|morat|alvaro soler|luis miguel
juan gabriel|jose jose|pablo alboran|alejandro sanz|melendi|mana|soda stereo|gustavo cerati
natalia lafourcade|rosalia|marc anthony|romeo santos|aventura|nicky jam|rauw alejandro|bizarrap
manuel turizo|roberto carlos|anitta|legiao urbana|tom jobim|antonio carlos jobim|caetano veloso
marilia mendonca|yiruma|joe hisaishi|久石譲|hans zimmer|ramin djawadi|john williams
ennio morricone|yann tiersen|max richter|olafur arnalds|nils frahm|philip glass|john powell
alan menken|howard shore|danny elfman|thomas newman|james newton howard|vangelis
ryuichi sakamoto|坂本龍一|nobuo uematsu|koji kondo|yoko shimomura|toby fox|c418|lena raine
two steps from hell|thomas bergersen|alexandre desplat|justin hurwitz|michael giacchino
abel korzeniowski|carter burwell|ludwig goransson|trent reznor|hania rani|fabrizio paterlini
brian crain|david lanz|george winston|kevin kern|the piano guys|yanni|richard clayderman|chopin
frederic chopin|beethoven|ludwig van beethoven|mozart|wolfgang amadeus mozart|bach|j.s. bach
johann sebastian bach|debussy|claude debussy|liszt|franz liszt|rachmaninoff|rachmaninov
sergei rachmaninoff|tchaikovsky|pyotr ilyich tchaikovsky|satie|erik satie|schubert
franz schubert|schumann|robert schumann|brahms|johannes brahms|grieg|edvard grieg|vivaldi
antonio vivaldi|handel|pachelbel|ravel|maurice ravel|scriabin|prokofiev|shostakovich|dvorak
mendelssohn|haydn|scarlatti|gershwin|george gershwin|scott joplin|saint-saens|faure|albeniz
bartok|khachaturian|offenbach|strauss|verdi|puccini|rossini|wagner|bizet|clementi|charlie puth
kali uchis|ben e. king|nina simone|aretha franklin|marvin gaye|bill withers|etta james
amy winehouse|norah jones|damien rice|james taylor|carole king|joni mitchell|neil young
don mclean|john denver|bruce springsteen|tom petty|van halen|def leppard|the smashing pumpkins
pearl jam|soundgarden|weezer|the offspring|sum 41|simple plan|good charlotte|westlife|take that
boyzone|nsync|*nsync|spice girls|destiny's child|tlc|usher|r. kelly|craig david
daniel bedingfield|ronan keating|natalie imbruglia|natasha bedingfield|the corrs|roxette
ace of base|aqua|vitas|enigma|sarah brightman|josh groban|il divo|susan boyle|lara fabian
lea salonga|idina menzel|auli'i cravalho|jacob collier|laufey|mac demarco|cigarettes after sex
beach house|phoebe bridgers|bon iver|fleet foxes|sufjan stevens|iron & wine|dean martin
nat king cole|bing crosby|andy williams|burt bacharach|carpenters|the carpenters|air supply
chicago|richard marx|michael bolton|mr. big|r.e.m.|kim wilde|modern talking|imany|milky chance
lost frequencies|r3hab|tiesto|deadmau5|fred again..|rufus du sol|madeon|flume|san holo|illenium
seven lions|jonas blue|robin schulz|joel corry|becky hill|raye|sigala|rudimental|jess glynne
paloma faith|emeli sande|gabrielle aplin|tom walker|george ezra|rag n bone man|jack johnson
ben howard|mumford and sons|of monsters and men|walk the moon|foster the people|grouplove
the strokes|franz ferdinand|the white stripes|the black keys|royal blood|wolf alice
fontaines d.c.|parcels|l'imperatrice|woodkid|christine and the queens|carla bruni
coeur de pirate|patrick watson|ásgeir|kings of leon|daughtry|the all-american rejects
boys like girls|secondhand serenade|yellowcard|dashboard confessional|babymetal|perfume
kyary pamyu pamyu|sigrid|astrid s|alan silvestri|john barry|henry mancini|nino rota
michel legrand|francis lai|vladimir cosma|eric serra|craig armstrong|dario marianelli
clint mansell|harry gregson-williams|bear mccreary|jeremy soule|martin o'donnell|yuki kajiura
yoko kanno|kevin penkin|shiro sagisu|susumu hirasawa|kraftwerk|basshunter|darude|haddaway|corona
eiffel 65|vengaboys|gigi d'agostino|crazy frog|ylvis|alphaville|berlin|survivor|europe|journey
boston|kiss|train|heart|genesis|rush|yes|america|asia
""".replace("\n", "|")

_WORKS = """
la casa de papel|money heist|bridgerton|friends|the office|outlander|vikings|the crown
breaking bad|the walking dead|merlin|doctor who|the simpsons|the nightmare before christmas
corpse bride|shrek|kung fu panda|despicable me|trolls|sing|soul|brave|luca|turning red|ice age
madagascar|the polar express|frozen|frozen 2|frozen ii|moana|tangled|encanto|coco|the lion king
lion king|aladdin|mulan|beauty and the beast|the little mermaid|up|toy story|ratatouille
zootopia|hercules|tarzan|pocahontas|inside out|disney|the greatest showman|la la land
les miserables|hamilton|phantom of the opera|the phantom of the opera|wicked|cats|mamma mia
titanic|interstellar|inception|the dark knight|gladiator|pirates of the caribbean|star wars
harry potter|lord of the rings|the lord of the rings|the hobbit|game of thrones|stranger things
the last of us|westworld|squid game|wednesday|twilight|amelie|schindler's list|forrest gump
the godfather|avatar|avengers|the avengers|spider-man|jurassic park|back to the future
how to train your dragon|dune|oppenheimer|barbie|joker|peaky blinders|dark|succession|sherlock
spirited away|howl's moving castle|my neighbor totoro|princess mononoke|kiki's delivery service
ponyo|laputa|castle in the sky|your name|kimi no na wa|weathering with you|suzume|studio ghibli
ghibli|your lie in april|attack on titan|shingeki no kyojin|demon slayer|kimetsu no yaiba|naruto
naruto shippuden|one piece|bleach|death note|tokyo ghoul|fullmetal alchemist|sword art online
jujutsu kaisen|chainsaw man|spy x family|oshi no ko|hunter x hunter|my hero academia|evangelion
neon genesis evangelion|violet evergarden|clannad|angel beats|re:zero|steins;gate|code geass
cowboy bebop|dragon ball|dragon ball z|haikyuu|frieren|bocchi the rock|anohana|no game no life
made in abyss|toradora|fairy tail|black clover|vinland saga|the promised neverland
mushoku tensei|blue lock|minecraft|undertale|deltarune|zelda|the legend of zelda|super mario
super mario bros|super mario 64|mario kart|pokemon|final fantasy|final fantasy vii
final fantasy x|final fantasy xiv|kingdom hearts|skyrim|the witcher 3|the witcher|halo
genshin impact|honkai star rail|hollow knight|celeste|nier automata|nier: automata|persona 5
chrono trigger|animal crossing|sonic|tetris|megalovania|cuphead|stardew valley|league of legends
arcane|portal|portal 2|bioshock|fnaf|five nights at freddy's|doki doki literature club
life is strange|assassin's creed|dark souls|elden ring
""".replace("\n", "|")

# Names that are songs, too, or plain words: they count for less.
_COMMON = """
friends|brave|soul|sing|merlin|trolls|luca|vikings|outlander|shrek|madagascar|america|asia
berlin|boston|chicago|europe|genesis|heart|journey|kiss|rush|train|yes|v|up|cats|dark|barbie
joker|coco|moana|arcane|celeste|halo|portal|lisa|rose|rosé|eve|queen|muse|toto|birdy|crush|mana
corona|survivor|rem|sonic|passenger|foreigner|sting|dido|kansas|nirvana|keane|gladiator|dune
titanic|avatar|frozen|tetris|avengers|ive|exo|wednesday|oasis|lauv|reik|drake|khalid|zaz|cro|mot
мот|duman|ado|yui|ハチ|starboy|hercules|hamilton|wicked|aurora|encanto|aladdin|bleach|evangelion
succession|inception|disney|clannad|ponyo|suzume|megalovania|minecraft
""".replace("\n", "|")


# A field that begins with one of these and goes on for a word or two is a person.
GIVEN_NAMES = word_set("""
aaron abel adam adele adrian aimee al alan alanis alannah alec alejandro alessandro alessia alex
alexander alexandra alexandre alice alicia alison amelia amy ana andra andrea andreas andrew
andy ange angela angelina angie anna anne annie anthony antonia antonio aretha ariana arthur
ashe ashley ashton athena austin avril barbra barry bastian beatrice becky bella ben benny
benson bernard beth betty bill billie billy bjorn blake bob bobbi bobby bonnie brad bradley
brandi brandon brent brian britney bruce bruno bryan bryce callum calum calvin cameron camila
candelita carla carlos carly carol carole caroline carrie cat cecilia celine chad charles charli
charlie charlotte chase cher cheryl chet chloe chris christina christopher clara claude clay
cody colbie cole colin conan connie corey courtney craig curtis cyndi damien dan dana daniel
danny darren dave david dawn dean debbie declan demi denis dennis dermot desmond diana diane
dinah dmitri dolly dominic don donna doris dorothy drew dua duncan dusty dylan ed eddie eddy
edith edvard edwin eleanor elena elias elisa ella ellen ellie elliott elton elvis emeli emilia
emily eminem emma emmanuel enrique eric erica erik erin ernest eros esther etta eva evan eve
fabrizio felix fergie fernando fiona forrest francis franco frank franz fred freddie frederic
gabriel gareth gary gavin geoff george georgia gigi giovanni glenn gloria grace gracie greg
greta gustav guy gwen hailee halle hannah hans harry heather hector helen helene henry herb
herbert hilary hope howard hugh hugo ian idina imelda ingrid irene isaac isabella isak ivan ivy
jack jacob jacques jaden jake james jamie jan jane janet jann jared jasmine jason jay jean jeff
jennifer jenny jeremy jermaine jerry jess jesse jessica jessie jewel jill jim jimi jimmy joan
joanna joe joel joey johan johann johannes john johnny jon jonas jonathan jordan jorge jose
joseph josephine josh joshua joss joyce juan juanes jude judy julia julianne julie julio june
justin kali karen karl karol kate katharine katherine kathy katie katy kaye keith kelly ken
kendrick kenneth kenny kevin khalid kim kirsty kris kristin kurt kyle kylie lady lana lara laura
lauren lauryn lea leah leann leigh lena lenny leo leon leona leonard leslie lewis liam lily
linda lionel lisa liza lizzy logan loren lorenzo loretta lou louis louise luca lucas lucio lucy
ludovico ludwig luis luke lulu luther lykke lynda lynn mabel mac macy madeline madison malcolm
mandy manuel marc marco marcus margaret maria mariah marianne marilyn mario mark martin marvin
mary mason matt matthew maurice max megan meghan mel melanie melissa michael michel michelle
mick miguel mike mikhail mila miles miley mitch molly monica nadia nancy naomi nat natalia
natalie natasha nathan ned neil nelly nelson niall nicholas nick nicki nicky nico nicole nils
nina noah noel norah norman oliver olivia olly orla oscar otis owen ozzy pablo paloma pamela pat
patrick patsy paul paula pedro penny percy perry pete peter petula phil philip phillip phoebe
pierre pyotr queen quincy rachel ralph randy ray rebecca regina renee rex rhys ricardo richard
rick ricky rihanna riley rita robbie robert roberto robin rod rodrigo roger romeo ron rory rosa
rosalia ross roxanne roy rudy rufus russell ruth ryan sabrina sally salvatore sam samuel sandra
sandy sara sarah sasha scott sean sebastian sebastien selena serena serge sergei seth shane
shania shannon sharon shaun shawn sheila sheryl shirley sia sigrid simon skylar solomon sonny
sophie stacey stan stella stephen steve steven stevie stuart sufjan susan suzanne sydney sylvia
tamia tate taylor ted teddy teresa terry thelma theo thomas tiago tiffany tim tina toby todd tom
tomas tommy toni tony tori tracy travis trevor trisha troye ty tyler tyson ursula val vanessa
vera victor vince vincent virginia vivian walter warren wayne wendy wes whitney will william
willie wolfgang yann yoko yvonne zac zach zack zara zayn zoe александр андрей анна борис виктор
владимир дима елена макс олег полина сергей юлия
""")


def _names(text: str) -> frozenset[str]:
    return frozenset(fold(name) for name in text.split("|") if name.strip())


PERFORMERS = _names(_PERFORMERS)
WORKS = _names(_WORKS)
COMMON = _names(_COMMON)
LONGEST_NAME = max(len(name.split()) for name in PERFORMERS | WORKS)


def fame(text: str) -> float:
    """Measure how surely a text is a performer or a work: 0 unknown, 1 a name of nothing else."""
    names = [_plain(fold(part)) for part in (text, *_joint(text), *_in_scripts(text))]
    best = 0.0
    for one in names:
        if one in PERFORMERS:
            best = max(best, 0.4 if one in COMMON else 1.0)
        elif one in WORKS:
            best = max(best, 0.3 if one in COMMON else 0.8)
    return best


def is_work(text: str) -> bool:
    """Check whether a text is the name of a film, a game or a series rather than a performer."""
    name = _plain(fold(text))
    return name in WORKS and name not in PERFORMERS


def _joint(text: str) -> list[str]:
    """Members of a list of performers, where the text may be one."""
    for mark in (" & ", ", ", " x ", " X ", " and ", " vs ", " feat"):
        if mark in text:
            return text.split(mark)[:4]
    return []


def is_person(text: str) -> bool:
    """Check whether a text reads like a person's name: a given name and a word or two."""
    words = fold(text).split()
    return 2 <= len(words) <= 3 and words[0] in GIVEN_NAMES


def _in_scripts(text: str) -> tuple[str, str]:
    """Split a name that is written twice into Latin words and others: ``周杰倫 Jay Chou``."""
    words = text.replace("(", " ").replace(")", " ").split()
    latin = [word for word in words if is_latin(word)]
    return " ".join(latin), " ".join(word for word in words if word not in latin)


_ACCENTS = str.maketrans("áàâäãåçéèêëíìîïñóòôöõúùûüý", "aaaaaaceeeeiiiinooooouuuuy")


def _plain(name: str) -> str:
    return name if name in PERFORMERS else name.translate(_ACCENTS)
