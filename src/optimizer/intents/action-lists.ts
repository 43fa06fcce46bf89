import type { ActionGroup } from "./action.ts";

/**
 * Verbs in their base form, by what they do in any trade; `inflect` adds the other forms. Of two entries for one word form, a
 * base form stands before others. Points are of four sizes: 3 says this alone, 2.4 mostly, 1.6 often, 0.8 also.
 */
export const VERBS: readonly ActionGroup[] = [
  { evidence: { extract: 3 }, words: "extract isolate harvest excerpt elicit glean", role: "extract" },
  { evidence: { extract: 3 }, words: "parse scrape crawl ocr", role: "parse" },
  { evidence: { extract: 2.4 }, words: "identify recognize detect discern spot", role: "detect" },
  { evidence: { extract: 2.4 }, words: "read tokenize capture decipher mine unzip decompress unpack pinpoint ingest digitize lift pluck deduce infer dissect excavate untangle perceive itemize" , role: "extract" },
  { evidence: { extract: 1.6 }, words: "quote", thing: true },
  { evidence: { extract: 1.6, enrich: 0.8 }, words: "grab scan discover uncover unearth", role: "get" },
  { evidence: { extract: 1.6, validate: 0.8, summarize: 0.8 }, words: "analyze interpret" },
  { evidence: { validate: 1.6, extract: 0.8 }, words: "inspect" },
  { evidence: { extract: 1.6, transform: 0.8 }, words: "transcribe" },

  { evidence: { summarize: 3 }, words: "summarize recap condense abridge synthesize recapitulate encapsulate abbreviate bulletize" },
  { evidence: { summarize: 2.4 }, words: "shorten", role: "compress" },
  { evidence: { summarize: 2.4 }, words: "distill brief digest skim", nounLike: true },

  { evidence: { generate: 3 }, words: "generate compose author craft brainstorm invent paraphrase ideate", role: "write" },
  { evidence: { generate: 3 }, words: "write", role: "write" },
  { evidence: { generate: 3 }, words: "draft", role: "write", nounLike: true },
  { evidence: { generate: 2.4 }, words: "create produce", role: "make" },
  { evidence: { generate: 1.6, transform: 0.8 }, words: "make build construct", role: "make" },
  { evidence: { generate: 2.4 }, words: "design forecast", role: "write", nounLike: true },
  { evidence: { generate: 2.4 }, words: "sketch simulate fabricate estimate illustrate animate narrate imagine dream sing conjure originate storyboard suggest propose recommend explain describe advise predict develop implement paint draw devise formulate conceive" , role: "write" },
  { evidence: { generate: 1.6, transform: 0.8 }, words: "render", role: "write" },
  { evidence: { generate: 1.6, transform: 0.8 }, words: "rewrite rephrase reword polish improve personalize humanize elaborate" },
  { evidence: { generate: 2.4 }, words: "answer", role: "answer", nounLike: true },
  { evidence: { generate: 1.6, transform: 0.8 }, words: "fix repair correct", role: "fix", nounLike: true },
  { evidence: { generate: 1.6 }, words: "plan solve debug chat prompt outline", nounLike: true },
  { evidence: { generate: 1.6 }, words: "code", thing: true },
  { evidence: { generate: 0.8, send: 0.8 }, words: "ask" },

  { evidence: { validate: 3 }, words: "validate authenticate assert substantiate corroborate" },
  { evidence: { validate: 3 }, words: "verify ensure guarantee", role: "verify" },
  { evidence: { validate: 2.4 }, words: "confirm", role: "confirm", nounLike: true },
  { evidence: { validate: 2.4 }, words: "lint audit proofread certify attest authorize test reconcile moderate vet scrutinize enforce prove approve guardrail crosscheck doublecheck spellcheck factcheck typecheck healthcheck endorse ratify vouch diagnose benchmark qa qc guard", nounLike: true },
  { evidence: { validate: 1.6 }, words: "review assess evaluate examine judge grade", nounLike: true },
  { evidence: { conditional: 1.6, validate: 0.8 }, words: "check", role: "check", nounLike: true },

  { evidence: { send: 3 }, words: "send notify dispatch deliver broadcast resend" },
  { evidence: { send: 2.4 }, words: "inform announce remind warn publish forward transmit telegraph ping tell congratulate greet invite escalate submit relay acknowledge thank apprise apologize circulate distribute disseminate convey communicate nudge emit welcome wish dial fax crosspost repost retweet reshare poke cc bcc advertise syndicate solicit petition" },
  { evidence: { send: 2.4 }, words: "share push transfer", nounLike: true },
  { evidence: { send: 2.4 }, words: "post tweet", role: "post", thing: true },
  { evidence: { send: 2.4, generate: 0.8 }, words: "reply respond", role: "answer", nounLike: true },
  { evidence: { send: 1.6 }, words: "message email mail alert sms dm report page", thing: true },
  { evidence: { send: 1.6 }, words: "request return", nounLike: true },
  { evidence: { send: 0.8 }, words: "save store upload upsert persist archive record export sync log", role: "store", nounLike: true },

  { evidence: { transform: 3 }, words: "convert transform translate reformat normalize standardize serialize deserialize stringify encode decode escape unescape resize rename restructure reshape flatten transpose transcode simplify pluralize singularize capitalize lowercase uppercase titlecase slugify camelcase snakecase sanitize anonymize pseudonymize redact tokenise beautify prettify minify urlencode unflatten truncate unwrap harmonize homogenize canonicalize obfuscate unquote downscale upscale resample rasterize vectorize" },
  { evidence: { transform: 2.4 }, words: "clean cleanup tidy trim explode expand chunk decompose separate encrypt decrypt rotate crop pad round sort reorder rearrange reorganize organize structure transliterate localize replace substitute modify adapt adjust refactor migrate turn move reverse unnest unpivot swap invert edit cast coerce rewrap shrink enlarge split divide blur pivot recode relabel rescale realign alphabetize quantize mirror cleanse indent dedent marshal unmarshal typecast flip sharpen grayscale colorize recolor retouch alter amend tweak scrub interpolate randomize shuffle permute slice dice partition discretize bucketize transmute morph demux remux splice regularize denormalize reindex restyle tabulate delimit dehydrate linearize gzip ungzip gunzip objectify paginate denoise unroll jsonify cut" },
  { evidence: { transform: 2.4 }, words: "change shift", thing: true },
  { evidence: { transform: 1.6, enrich: 0.8 }, words: "fill" },
  { evidence: { enrich: 1.6 }, words: "track", thing: true },
  { evidence: { transform: 2.4 }, words: "compress", role: "compress" },
  { evidence: { summarize: 1.6, transform: 0.8 }, words: "reduce compact", role: "compress" },
  { evidence: { transform: 2.4 }, words: "format map process hash mask scale remap shape arrange parametrize template segment fragment sequence", nounLike: true },
  { evidence: { transform: 1.6, aggregate: 0.8 }, words: "calculate compute derive", role: "compute" },
  { evidence: { transform: 1.6 }, words: "prepare prep", role: "prepare" },
  { evidence: { transform: 1.6 }, words: "increment decrement define initialize init configure assign declare sign" },
  { evidence: { transform: 1.6 }, words: "set setup watermark", nounLike: true },
  { evidence: { transform: 1.6 }, words: "update patch", role: "update", nounLike: true },
  { evidence: { transform: 0.8 }, words: "put", role: "put", nounLike: true },
  { evidence: { transform: 0.8 }, words: "output", thing: true },

  { evidence: { conditional: 2.4 }, words: "route reroute redirect switch branch fork decide determine triage gate", nounLike: true },
  { evidence: { conditional: 2.4 }, words: "compare differentiate distinguish diff loop iterate repeat divert steer bifurcate discriminate" },
  { evidence: { conditional: 1.6, enrich: 0.8 }, words: "classify categorize" },
  { evidence: { conditional: 0.8, filter: 0.8 }, words: "continue proceed stop abort halt wait fallback retry break terminate jump", nounLike: true },

  { evidence: { aggregate: 3 }, words: "aggregate merge combine concatenate concat consolidate coalesce bundle conflate amalgamate amass" },
  { evidence: { aggregate: 2.4 }, words: "append", role: "append" },
  { evidence: { aggregate: 2.4 }, words: "join collect gather accumulate compile assemble group regroup zip union pool stitch sum total tally count average cluster collate collapse unite intersect cumulate interleave fuse batch stack glue pack mix blend integrate connect pile weave pair median squash converge mash conjoin summate", nounLike: true },
  { evidence: { aggregate: 1.6, transform: 0.8 }, words: "wrap unify link", nounLike: true },

  { evidence: { filter: 3 }, words: "filter exclude deduplicate dedupe dedup prefilter" },
  { evidence: { filter: 2.4 }, words: "ignore skip discard retain omit whitelist blacklist blocklist allowlist prune winnow shortlist subset unsubscribe reject weed sieve cull disregard suppress mute dismiss eject ban ditch toss hide whittle sift strain withhold preclude" },
  { evidence: { filter: 2.4 }, words: "drop block bar screen limit keep restrict narrow cap sample", nounLike: true },
  { evidence: { filter: 2.4 }, words: "select pick choose take", role: "choose" },
  { evidence: { filter: 2.4, transform: 0.8 }, words: "remove delete strip eliminate purge", role: "remove" },

  { evidence: { enrich: 3 }, words: "enrich augment lookup geocode geolocate supplement hydrate backfill contextualize" },
  { evidence: { enrich: 2.4 }, words: "find locate investigate consult browse trace", role: "search" },
  { evidence: { enrich: 2.4 }, words: "search research", role: "search", nounLike: true },
  { evidence: { enrich: 1.6, extract: 0.8 }, words: "get fetch retrieve obtain pull acquire", role: "get" },
  { evidence: { enrich: 1.6, extract: 0.8 }, words: "load query download import", role: "get", nounLike: true },
  { evidence: { enrich: 1.6, extract: 0.8 }, words: "list", role: "get", nounLike: true },
  { evidence: { enrich: 1.6, transform: 0.8 }, words: "add insert inject attach include annotate tag label associate match correlate resolve", role: "add", nounLike: true },
  { evidence: { enrich: 1.6 }, words: "complete enhance extend populate decorate embellish relate" },
  { evidence: { enrich: 0.8, validate: 0.8 }, words: "score rate rank", nounLike: true },
];

/** Names of deeds and doers that `inflect` does not give. */
export const NOUNS: readonly ActionGroup[] = [
  { evidence: { extract: 2.4 }, words: "detection recognition", role: "detect" },
  { evidence: { extract: 3 }, words: "extraction parsing scraping ocr analysis identification entities transcription" },
  { evidence: { summarize: 3 }, words: "summary summarization summarisation summaries recap digest tldr synopsis overview gist takeaways roundup wrapup abstract" },
  { evidence: { generate: 2.4 }, words: "generation writer writing copywriter creation composition generative creator drafting storyteller suggestion suggestions recommendation recommendations explanation prediction" },
  { evidence: { validate: 3 }, words: "validation verification validator verifier authentication checker linting authorization assessment inspection evaluation" },
  { evidence: { send: 2.4 }, words: "notification notifications notifier delivery broadcast newsletter reminder alert alerts announcement submission transmission dissemination handover handoff" },
  { evidence: { transform: 2.4 }, words: "conversion transformation formatting formatter normalization normalisation mapping mapper serialization translation cleaning cleanup resizing splitter chunking chunker simplification encoding decoding compression calculation calculator sorting cleansing encryption decryption replacement adjustment modification rearrangement substitution rounding transposition alignment" },
  { evidence: { conditional: 2.4 }, words: "router routing condition conditional branching decision comparison dispatcher loop redirection" },
  { evidence: { conditional: 1.6, enrich: 0.8 }, words: "classification classifier categorization" },
  { evidence: { aggregate: 2.4 }, words: "aggregation aggregator merger merging concatenation consolidation combination collection accumulator rollup grouping union" },
  { evidence: { filter: 2.4 }, words: "filtering deduplication deduping exclusion selection limiter removal suppression" },
  { evidence: { enrich: 2.4 }, words: "enrichment lookup lookups augmentation geolocation geocoding retrieval finder research" },
  { evidence: { enrich: 1.6 }, words: "search" },
];

/** Two or three words that are one verb; they stand before what their first word says alone. */
export const PHRASAL: readonly ActionGroup[] = [
  { evidence: { enrich: 3 }, words: "look_up,cross_reference,look_into,track_down,reverse_geocode,reverse_geocoding,reverse_ip,reverse_dns,reverse_phone,reverse_email,reverse_image,reverse_lookup" },
  { evidence: { enrich: 2.4 }, words: "look_for,google_the,google_for,google_it,google_search,google_maps", role: "search" },
  { evidence: { enrich: 2.4 }, words: "fill_in,fill_missing,fill_gaps,fill_blanks,fill_empty,fill_up,find_out,read_up" , role: "add" },
  { evidence: { summarize: 3 }, words: "sum_up", role: "sum" },
  { evidence: { summarize: 3 }, words: "boil_down,tl_dr,wrap_up,cut_down,map_reduce" },
  { evidence: { transform: 2.4 }, words: "split_out,split_up,clean_up,turn_into,break_up,break_down,break_into,break_apart,break_out,cut_into,bring_into,un_nest,re_map,re_format,tidy_up,pretty_print,find_and_replace,set_up,change_to,upper_case,lower_case,title_case,proper_case,camel_case,snake_case,sentence_case,order_by,post_process,post_processing,pre_process,pre_processing" },
  { evidence: { aggregate: 3 }, words: "list_of,array_of,number_of,wait_for_both,wait_for_all,pull_together,bring_together,put_together,piece_together,group_by,roll_up,add_up,group_into,sum_of,count_of" },
  { evidence: { filter: 3 }, words: "get_rid_of,filter_out,de_dupe,de_dup,de_duplicate,leave_out,weed_out,throw_away,throw_out,rule_out,sort_out,skip_over,narrow_down,strike_out,cross_out,cross_off,strike_off,sift_out,take_out,clear_out,leave_off,cut_out,cut_off,kick_out,toss_out,throw_off" },
  { evidence: { filter: 2.4, transform: 0.8 }, words: "take_away", role: "remove" },
  { evidence: { conditional: 2.4 }, words: "in_case,in_the_event,see_if,see_whether,figure_out,if_else,go_to,go_on,jump_to,fall_back,choose_between,decide_between,carry_on,move_on_to,for_each,check_if,check_whether,test_if,test_whether,find_out_if,find_out_whether" },
  { evidence: { send: 3 }, words: "reach_out,send_out,send_off,send_back,pass_to,hand_to,report_to,report_back,reply_to,get_back_to,ask_for,follow_up,let_know,hand_over,hand_off,pass_on,pass_along,drop_a_line,drop_a_note,get_in_touch,heads_up,write_to,write_back,goes_out" },
  { evidence: { generate: 2.4 }, words: "write_up,come_up,make_up,think_up,think_of,dream_up,text_to_speech,text_to_image,text_to_video,text_to_audio,text_to_voice,text_to_music,image_to_video,image_to_image,photo_to_video,voice_over" },
  { evidence: { extract: 2.4 }, words: "read_from,read_off,pick_out,dig_out,pull_out,note_down,write_down,jot_down,tease_out,fish_out,make_note_of,take_note_of,image_to_text,photo_to_text,picture_to_text,screenshot_to_text,scan_to_text,speech_to_text,audio_to_text,voice_to_text,video_to_text" },
  { evidence: { validate: 2.4 }, words: "double_check,cross_check,see_to_it,be_sure,look_over,check_over,check_against,check_that,test_that,see_that,make_certain,make_sure,fact_check,fact_checking,spell_checking,sanity_check,spell_check,quality_check,health_check,quality_control,quality_assurance" },
  { evidence: { extract: 0.8, generate: 0.8 }, words: "tell_me,tell_us,show_me,show_us,give_me,give_us", role: "tell" },
  // What they open is preparation or the wanted form, not the work itself.
  { evidence: {}, words: "look_at,go_over,go_through,start_with,keep_it,keep_to,keep_them,limit_yourself,limit_your,keep_your,sign_up,sign_in,log_in,log_out,http_request,api_request" },
];
