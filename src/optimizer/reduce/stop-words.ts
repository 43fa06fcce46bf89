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
