import { type Intent, INTENTS } from "../../../src/optimizer/intents/intent.ts";

/**
 * Steps written when the rules were done, and scored once; nothing was changed on their account. `{…}` names readings that are
 * right as well.
 */
const LISTS: Record<Intent, string> = {
  extract: `Read meter value | Parse bank file | Get EXIF data from photo | Pull contact from signature | Receipt scanner | Find SKU in title | Take email from body | Extract approval status | Table extractor | Get chapters from transcript |
    Web scraper | Parse merge conflict | Identify drug names | Pick up order id from subject | Which parties does the agreement name? | Read out the amounts on the cheque | Note the serial numbers that appear in the photo | From the chat, get the customer's phone number | The invoice is parsed and its total taken | Pull the action items out of the minutes`,
  summarize: `Call recap | Digest of changes | Shorten bio | Executive brief summary | Sum up feedback | Abstract writer | Key facts of case | Summarize alerts | Lead summary | Two-line summary |
    Outcome in brief | Summarise the filtered list | What are the main complaints in these reviews, in short? | Cut the report down to one page | Write up the gist of the hearing | Bring the story down to three sentences | The discussion has to be boiled down for the board | Recap in a few words what was agreed | Give an overview of the patient's history | Wrap the week up in a paragraph`,
  generate: `Write apology | Draft NDA | Persona creator | Create slogan | Caption generator | Draw icon | Make playlist description | AI answer | Write summary email to client{summarize} | Invent quiz |
    Compose newsletter | Suggest filter names | Code generator | Offer letter writer | Think of a title for the talk | Come up with a plan for the audit | What should we reply to this reviewer? | Prepare a draft of the contract | Write the query that counts the orders | Have an image made of the new product`,
  validate: `Check tax id | Format validation | IBAN check | Verify shipment data | Consent check | Ensure total matches | Lint config | Confirm attendance list | Validate extracted fields | Eligibility check |
    Confirm address | Test schema | Duplicate check{conditional,filter} | Verify summary | Make sure the patient's consent is on file | Inspect the parcel data for missing fields | See that every invoice has a number | The certificate must be verified | Are the totals correct?{conditional} | Go over the text and make sure no names are left in it`,
  send: `Notify warehouse | Ship report to CFO | SMS to driver | Alert ops | Reply to lead | Email digest | Push to Slack | Announce release | Inform parents | Dispatch invoice |
    Reminder to tenant | Send parsed data | Welcome SMS | Escalation email | Put the manager in the loop | Let the applicant know that we have decided | Mail the extracted table to accounting | The patient is informed by letter | Tell the team what was filtered out | Give the supplier a call`,
  transform: `Uppercase names | Round prices | XML to JSON | Split address | Rename sheet columns | Kelvin to Celsius | Reformat phone | Encode file | Sort rows | Translate ticket |
    Mask IBAN | Trim title | Merge-ready format | Clean addresses | Turn the list into a table | Write the dates the American way | Change the currency of the amounts to dollars | Numbers are rounded to two decimals | Bring the names into the form last, first | Break the manual into sections`,
  conditional: `Is refund? | Order shipped? | Premium member | Over budget | If consent | Payment received | Needs review | Check if merged | Which region? | Stock < 10 |
    Was summarized? | Route by amount | Fraud suspected? | Decide approver | In case the payment fails, go to the reminder branch | Has the tenant paid? | Either refund or replace, depending on the age of the order | When the score is low take the manual path | Determine whether a lawyer is needed | Should this go to sales?`,
  aggregate: `Total hours | Merge ledgers | Count complaints | Combine chapters | Group orders | Join tables | Bundle receipts | Collect votes | Average score | Sum costs |
    One list of all leads | Combine filtered rows | Pool results | Concatenate summaries | Add all the invoices of the month up | Put the replies into one document | How many tickets did each agent close? | The monthly reports are merged into one | Bring all the answers together | Work out the mean delay per route`,
  filter: `Open cases only | Drop test users | Unpaid only | Keep adults | Remove bots | First 20 | Latest entries | Exclude refunds | Without email | Active patients |
    Dedupe leads | Skip drafts | Only merged | Ignore summaries | Leave out the invoices that are paid | Just the patients over 60, please | Take only flights under 200 euros | Everyone who has answered is left out | Throw the duplicates out | Keep those that were sent this week`,
  enrich: `Tax rate lookup | Find supplier | Get patient record | Add region | Search precedents | Company info | Geocode clinics | Fetch order history | Owner lookup | Match invoices to orders |
    Get author bio | Attach price list | Add VAT rates to orders | Find similar contracts | Look the tenant up in the register | For each lead find the company's website | Complete the orders with the customers' addresses | Who is the owner of this plate? Search the registry | Get the exchange rate of that day | The parcels are supplemented with their tracking status`,
};

export const LAST_STEPS: readonly { text: string; intent: Intent; alsoOk: Intent[] }[] = INTENTS.flatMap((intent) =>
  LISTS[intent].split("|").map((entry) => {
    const [text, also] = entry.trim().split("{");
    const named = (also ?? "").replace("}", "").split(",");
    return { text: text!, intent, alsoOk: INTENTS.filter((other) => named.includes(other)) };
  }),
);
