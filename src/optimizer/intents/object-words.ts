function words(list: string): ReadonlySet<string> {
  return new Set(list.split(" "));
}

export const DETERMINERS = words("the a an our my your each every all any both this these those his her their");

/** Words in front of an action that say nothing about it. */
export const FILLERS = words(
  "a an the then now finally next first second third lastly please also just auto automatically automated quickly simply bulk batch ai ml llm step node task action lets us we you i must always again try smart custom my your our new re and workflow manual manually",
);

/** Verb-like openers of a yes-or-no question or of a predicate. */
export const AUXILIARIES = words("is are was were has have had does do did can could should would will am isnt arent doesnt hasnt wasnt didnt contains needs requires includes exceeds");

/** Middle words of a statement that is true or false ("status is done"). */
export const PREDICATES = words("is are was were has isnt arent exists exist contains contain equals includes matches starts ends exceeds");

/** Last words of such a statement ("user found"). */
export const STATES = words(
  "yes no found exists exist empty missing present enabled disabled valid invalid failed success successful succeeded error true false ready available changed due already expired completed complete done finished active online offline paid approved rejected null undefined set received existing allowed open closed different equal same reached exceeded passed ok matched used seen processed positive negative neutral urgent unchanged overdue outstanding pending unknown known needed required",
);

/** Openers of questions that want an answer, not a decision. */
export const QUESTION_WORDS = words("what how why which who whom whose when where");

/** Names of data formats. */
export const FORMATS = words(
  "json jsonl csv tsv xml html xhtml markdown md yaml toml pdf xlsx xls excel spreadsheet docx doc docs base64 binary text txt string markup rtf svg png jpg jpeg webp gif mp3 mp4 wav ics rss sql array object file files buffer hex uuid url unix timestamp timestamps iso date datetime utc timezone snake camel uppercase lowercase table list items rows columns fields spaces flat words bytes kb mb gb audio video ms seconds minutes hours days usd eur currency celsius fahrenheit kelvin miles kilometres kilometers metres meters feet inches pounds kilograms grams litres gallons dollars euros cents slug uppercase capitals vcf geojson ascii utf8 utf unicode plaintext blocks lines sentences paragraphs chunks image images boolean integer integers number numbers strings dates float zip epub latex",
);

/** Files and pages that data is taken out of. */
export const CONTAINERS = words(
  "file files pdf pdfs html attachment attachments document documents doc docx docs page pages webpage website image images xml csv xlsx xls excel spreadsheet json text txt body header headers receipt receipts invoice invoices resume cv transcript screenshot screenshots zip archive binary response email emails url urls rss feed sitemap binary photo scan scans markdown string payload output message list url link audio video recording sitemap prompt text note notes letter letters statement statements report reports contract contracts agreement form forms slip bill bills certificate manifest label thread conversation chat call interview article articles paper papers description caption captions filename subject log logs citation citations dump node query input comment comments code",
);

/** Shapes of data that a step makes out of other data. */
export const STRUCTURES = words(
  "json object objects array arrays list item items payload field fields schema csv file files xlsx excel table row rows html body url urls query params parameters request id ids key keys date dates variable variables column columns binary metadata header headers filename path dictionary hash string block blocks xml timestamp structure format slug range encoding sql",
);

/** Marks and other text that is cleaned away, not filtered. */
export const MARKUP = words(
  "html tags tag whitespace whitespaces spaces space markdown characters character chars emoji emojis quotes quote prefix suffix accents formatting stopwords newlines newline lines linebreaks breaks line punctuation markup css scripts symbols backticks brackets commas symbol leading trailing code column columns field fields key keys property properties attribute attributes signature footer background params indentation escape slashes pii watermark json markdown citations footnotes accents diacritics fences",
);

/** Services and media that carry messages. */
export const CHANNELS = words(
  "slack telegram gmail email emails mail discord teams msteams mattermost whatsapp sms twilio line signal outlook sendgrid mailchimp mailgun mailjet messenger twitter x linkedin facebook instagram reddit pushover pushbullet matrix rocketchat zulip wechat smtp inbox channel chat chatroom lark feishu dingtalk gotify pushcut postmark klaviyo mailerlite convertkit activecampaign customerio buffer hootsuite tiktok pinterest messagebird plivo chatwoot gupshup tumblr blotato ayrshare dm viber threads bluesky mastodon youtube wordpress webhook pagerduty opsgenie intercom brevo resend sns ntfy vonage",
);

/** Things that are sent; last in a step's name, they name the sending ("welcome email"). */
export const MESSAGES = words(
  "notification notifications alert alerts reminder reminders message messages email emails mail newsletter confirmation confirmations reply invitation invite announcement ping sms dm notice warning acknowledgement acknowledgment greeting broadcast response tweet",
);

/** Who receives them. */
export const RECIPIENTS = words(
  "user users customer customers client clients team teams manager admin admins administrator owner channel chat subscriber subscribers sender caller webhook me everyone group recipient recipients employee employees staff teacher student students parent attendees attendee participants participant lead leads candidate candidates sales support finance hr boss patient visitor guest member members mailing inbox requester author assignee driver drivers tenant landlord supplier suppliers vendor vendors partner partners doctor nurse applicant applicants buyer seller donor donors colleague colleagues board contractor provider engineer supervisor accountant accounting everybody reviewer reviewers human humans approver approvers operator",
);

/** Things that are written, drawn or said anew. */
export const CONTENT = words(
  "image images wording picture pictures photo video videos audio speech music song voiceover caption captions story stories article articles blog script scripts title titles headline headlines letter proposal essay poem ideas idea description descriptions copy content tweet thread slogan outline hashtags prompt prompts quiz questionnaire questions joke lyrics logo thumbnail illustration ad ads tutorial guide documentation readme code function tests response answer plan recipe persona brief contract bio tagline podcast narration avatar lesson course itinerary review dialogue dialog speech song sketch novel chapter verse lines",
);

/** The short version of something. */
export const SUMMARIES = words("summary summaries recap digest overview synopsis tldr gist roundup takeaways highlights wrapup minutes keypoints bullets");

/** What the word before "points" is in a summary. */
export const KEY_ADJECTIVES = words("key main major important core principal essential central bullet salient biggest crucial");
export const POINTS = words("points point takeaways takeaway ideas idea facts findings highlights insights messages themes moments learnings bullets topics arguments issues aspects conclusions facts");

/** Models and their makers: a step named after one alone lets it write. */
export const MODELS = words("gpt chatgpt openai claude gemini deepseek llm ai mistral llama ollama perplexity anthropic groq copilot grok qwen agent assistant chatbot bot copywriter gpt4 gpt3 gpt4o cohere bedrock huggingface openrouter");

/** Words behind a doer or a deed that only say what kind of machine does it ("summarizer agent"). */
export const CARRIERS = words("agent node step api workflow tool chain model service bot assistant function task job module action logic process processor engine system stage block subworkflow");

/** Makers of what stands before them ("reply agent"). */
export const DOERS = words("agent assistant bot chatbot");

/** Ordering words that, with a number, cut a list. */
export const RANKS = words("top first last latest newest oldest bottom recent past best most max maximum cheapest longest shortest highest lowest biggest smallest largest fastest closest random");

/** Tests of quality and form, as the object of "check". */
export const QUALITIES = words(
  "valid validity json xml yaml format schema syntax signature signatures required integrity quality compliance correctness spelling grammar token tokens permissions permission input inputs credentials structure consistency accuracy authenticity conformity sanity eligibility completeness formatting constraints security password authorization authentication checksum legality plagiarism captcha otp facts parameters params fields auth api",
);

/** What a look-up in another source yields. */
export const FACTS = words(
  "info information details detail profile profiles data company companies person contact contacts customer location weather user users record records account domain price prices rate rates ip geo history metadata address stats context documents organization organisation lead product products order orders",
);

/** Nouns that name a look-up by themselves. */
export const LOOKUPS = words("reputation geolocation whois lookup lookups lookalike similar related nearest enrichment enricher similarity firmographics backlinks");

/** Parts of a text or a page that can be taken out of it. */
export const PARTS = words(
  "link links url urls text title titles header headers keyword keywords entity entities date dates number numbers name names phone element elements filename filenames variable variables param params parameter parameters property properties content contents line lines word words phone paragraph paragraphs content body key keys image images amount amounts subtitle subtitles section sections hashtag hashtags mention mentions quote quotes price prices id ids json table tables value values field fields address addresses email emails domain domains hostname username",
);

/** Words behind which a name only says about whom, where or when; the noun before them is what it is about. */
export const LINKS = words("for between of about on in to when that which with via from by at after before if per using based because and as into without");

/** Openers of a phrase that stands before the order ("from the list below, keep …"). */
export const LEAD_INS = words("from for given using in with after before once when as based on within among out of using at");

/** Words that set a value against a bound. */
export const COMPARATIVES = words("above below greater less more over under exceeds higher lower equal");

/** What is not as it should be; who looks for it tests. */
export const DEFECTS = words("error errors fraud spam anomaly anomalies typo typos mistake mistakes gap gaps inconsistency inconsistencies problem problems violation violations hallucination hallucinations injection bias conflict conflicts defect defects flaw flaws");

/** Where a thing that is looked up is kept. */
export const STORES = words("database db crm api sheet sheets directory register registry catalogue catalog airtable notion hubspot salesforce pipedrive zendesk jira shopify stripe server cache web internet wikipedia google erp warehouse knowledge handbook base index record ledger system service");

/** Words for one thing made of several. */
export const WHOLES = words("one single combined merged unified common consolidated joint");

/** Shapes that hold many, and what is said of one that holds all. */
export const COLLECTIONS = words("list array");
export const WHOLE_LISTS = words("final full complete overall master entire");

/** What a decision is between. */
export const WAYS = words("action step path branch route way direction next queue destination outcome type kind category intent");

/** Who asks for what a text mentions wants it taken out. */
export const MENTIONS = words("mentioned named listed contained stated written quoted cited given hidden included appear appears mention contain list name");

/** Units of a text's length. */
export const LENGTHS = words("words sentences sentence paragraph paragraphs bullets bullet page pages lines");

/** What a test finds. */
export const VIRTUES = words("validity correctness integrity eligibility compliance consistency accuracy plausibility completeness");
