/** English words that carry grammar or a question's frame, not its content. They count nothing in relevance. */
export const STOP_WORDS = `
a an the this that these those some any each every either neither no not nor such own same other another
i me my mine myself we us our ours you your yours he him his she her hers it its they them their theirs itself himself themselves
who whom whose which what when where why how
be am is are was were been being do does did done doing have has had having can could may might must shall should will would
and or but if then else than as while because so though although unless until since
of in on at by for from to into onto with without within about above below between among through during before after over under
up down out off again against along across around near via per upon toward towards
here there now very too also just only even still yet already ever never often once more most less least much many few all both
s t d ll m re ve don doesn didn isn aren wasn weren won couldn wouldn shouldn hasn haven hadn ain
please tell give find said say says get got go goes going come came let like well okay ok yeah yes um uh hmm oh right know think mean
one thing things way lot kind sort really actually
etc eg ie vs
`;

/** Words that frame a task ("summarise the discussion about …") and count little in a query. */
export const FRAMING_WORDS = `
summarize summarise summary describe explain discuss discussion list compare outline analyze analyse extract identify mention meeting
talk opinion team group conversation speaker question answer information text document context following report detail
`;

/** Frequent English words: in a small text their rarity there says little, so they count less in a query. */
export const COMMON_WORDS = `
time year day week month people man woman child family friend world country state city town place area part side end home house work
school company business service product group member number name first second third last next new old young good better best great
big small large long short high low early late different important public major main common general special possible able true full
make made take took taken use used using come came become became see saw seen look show shown want need call called try ask
work play played run ran move live lived believe hold held bring brought happen write written wrote provide sit stand stood lose lost
pay paid meet met include including continue set learn change lead led understand watch follow stop create speak read spend spent grow
open walk win won offer remember love consider appear buy wait serve die died send sent build built stay fall fell cut reach kill
remain start started begin began move leave left turn put keep kept feel felt seem help hear heard let
water money book movie film song show series season episode game team player character actor role story music band album line
government power president law war history point fact case problem issue plan system program question level order form type type
head hand eye face body life death birth born based known located found based
`;
