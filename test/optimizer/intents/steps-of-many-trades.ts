import { type Intent, INTENTS } from "../../../src/optimizer/intents/intent.ts";

export interface TradeStep {
  text: string;
  intent: Intent;
  /** A name of two to six words as a template bears it, or what somebody says of a step in a sentence. */
  kind: "name" | "sentence";
  /** Readings that are right as well. */
  alsoOk: Intent[];
  /** Of the second half: measured once the mistakes of the first had been mended, and not looked at before. */
  second: boolean;
}

/**
 * Steps from support, finance, operations, research, hiring, shops, law, health and marketing. All were written and labelled from
 * what the ten intents mean, before the classifier saw one of them: half of them say the intent with a word that speaks for
 * another, or with none. `{…}` names readings that are right as well. Every second one of a list is of the second half.
 */
const LISTS: Record<Intent, { names: string; sentences: string }> = {
  extract: {
    names: `Pull IBAN from statement | OCR delivery note | Read barcode | Policy number from letter | Get claims table out of PDF | Scrape competitor prices |
      Detect faces in photo | Named entity recognition | Get symptoms from patient note | Lab values parser | Unpack ZIP attachment | CV field extractor |
      Extract merge request id | Extract summary section | Extract filter criteria from question | Read email signature | HTML - Get all links | Identify contract parties |
      Capture order number from subject | Get text from image | Parse validation report | Get attachment content | Isolate error codes in log | Harvest addresses from page |
      Parse sent date | Invoice OCR | Grab meta description from page | Read QR code | Extract & clean vendor name | Parse If-Modified-Since header`,
    sentences: `From the discharge letter, list all medications with their doses. | Which diagnosis codes occur in this chart? | Every deadline in the contract must be picked out |
      Take the tracking numbers out of the carrier's emails | Go through the lease and note down rent, term and deposit {summarize} | Then pull the stack trace from the crash report |
      Read the uploaded spreadsheet and return its rows as JSON {transform} | The sender's name and company are read from the signature | Find all phone numbers mentioned in the transcript |
      Identify every party to the agreement and when they signed | Tell me which ingredients the label mentions | Open the attached receipt and get the total |
      Pull the commit hashes from the release notes | What amounts does this bank statement show? | Get the author, the year and the journal out of each citation |
      Please scan the incident report for IP addresses | Detect every product name that customers mention in the chat | Extract the sentences that summarize the finding |
      Parse the webhook payload and take out the customer id | I need the due date and the amount from each of these bills`,
  },
  summarize: {
    names: `Condense case file | Ticket history in brief | Call notes summary | TL;DR of pull request | Main findings | Weekly sales digest | Summarize merged threads | Meeting recap |
      Shorten job ad | Summarize and post | Executive overview | Generate summary | Create short synopsis | Key points of hearing | Filtered news summary | Summarize if long |
      Patient history in three lines | Get the gist of feedback | Abstract of paper | Summarise validation errors | Build daily recap | Write meeting minutes {generate} | Boil down survey answers |
      Highlights of the quarter | Bullet point overview | LLM: Summary | Summarize sent campaigns | Roundup of outages | Extract main takeaways {extract} | Sum up chat`,
    sentences: `Reduce the hearing's transcript to the five most important points | Give a short account of what the customer complained about | Tell the board in two sentences how the quarter went |
      The reviews should be condensed into one paragraph | Read all the comments and write a brief summary of them | In a nutshell, what does this clause say? |
      Then shorten the article to at most 100 words | Summarize what was sent to the client last week | Produce a one-page overview of the trial's results |
      What are the key takeaways of this interview? | Boil the incident timeline down to what management needs to know | Give me the main arguments of both parties, briefly |
      Make the release notes shorter, keeping only what users will notice | A digest of the week's tickets is prepared for the team lead | Please recap the conversation so far |
      Distill the market report into bullet points | Write a summary of the patient's history for the surgeon | Summarize each section and merge the summaries into one |
      Can you briefly say what this pull request changes? | Compress the thread into three lines`,
  },
  generate: {
    names: `Write rejection letter | Compose tweet about launch | Create ad copy | Draft contract clause | AI: Suggest subject lines | Image from prompt | Generate notification text | Write filter expression |
      Create product description | Generate test cases | Story writer | Prepare answer for customer | Cover art | Draft summary email {summarize} | Brainstorm hashtags | Product name ideas | Chat model |
      GPT - reply text | Generate validation questions | Make thumbnail | Voice-over | Write SQL query | Propose three headlines | Create meal plan | Text to speech | Blog outline | Create landing page text |
      Question answering | LinkedIn post writer | Generate follow-up question`,
    sentences: `Come up with ten names for the new product | Write a polite message that tells the applicant about the decision | Answer the customer's question from the handbook |
      Draft the email to the supplier, but do not send it | A cover picture for the episode is drawn | Create three variants of the advertisement for young parents | Please suggest how we could lower the churn |
      Then write unit tests for the function | Compose a friendly reminder about the open invoice | Propose a treatment plan for the patient | Could you think of a catchy slogan? |
      Make a quiz out of the chapter {transform} | Write a script that merges two spreadsheets | Produce a press release about the merger | Explain the diagnosis in plain words {transform, summarize} |
      Prepare a draft of the reply to the complaint | Invent a short story about a lost parcel | Formulate an objection to the claim | Generate five questions to validate what the learner knows | Design a logo for the clinic`,
  },
  validate: {
    names: `Verify VAT id | Check email format | Address validation | Schema validator | Validate merged data | Make sure fields exist | Fact check | Plagiarism check | Ensure valid JSON | Input sanity check |
      Confirm identity | Double-check totals | Signature verification | Spell check | Compliance review | Test credentials | Validate before send | Verify extracted amounts | KYC check | Audit permissions |
      Authenticate caller | Check required fields | Payload validation | Quality check on summary | Verify webhook | Check checksum | Proofread article | Ensure consent given | Data integrity check | Review generated code`,
    sentences: `Make sure that the invoice has a date, a number and a total | Check that the JSON follows the schema | The customer's identity must be verified before the account is opened |
      Confirm that every line of the order has a price | Are all mandatory fields filled in correctly? {conditional} | Verify that the email was sent | See to it that no personal data is left in the text | Then test whether the credentials still work {conditional} |
      Review the contract for missing clauses | Each claim in the article is checked against its source | Ensure the amounts add up to the total | Validate the signature of the webhook before going on | Look the draft over for mistakes {generate} |
      Check the spelling and grammar of the announcement | Double-check that the merged file has no gaps | Please verify the dosage against the guideline | Assert that the response is well formed | The filtered list has to be checked for correctness |
      Proofread the summary | Prove that the token has not expired {conditional}`,
  },
  send: {
    names: `Notify on-call engineer | Email invoice to customer | Slack alert | SMS reminder | Post to Teams | Reply to reviewer | Forward complaint to legal | Send merged report | Send if approved | Order confirmation email |
      Inform HR | Share dashboard link | WhatsApp message to patient | Deliver summary to inbox | Publish blog post | Ping oncall | Push notification | Discord - new release | Mail the certificate | Tell manager |
      Send validation errors | Escalate to supervisor | Announce winner | Text the driver | Send filtered list to sales | Rejection email | Telegram | Broadcast outage notice | Submit report to regulator | Reply in thread`,
    sentences: `Let the patient know that the results are in | Forward the request to the legal department | Then message the team on Slack | The signed contract is emailed to both parties | Tell the driver where to pick up the parcel |
      Post the summary in the #sales channel | Please inform everyone on the mailing list about the outage | Deliver the weekly report to the manager's inbox | Remind the employee to hand in the time sheet |
      Get in touch with the supplier about the late order | Send the customer a summary of the call | Thank the donor by email | Drop a note to the finance team | Hand the ticket over to the second level | Invite the candidate to an interview |
      Write to the tenant that the rent is due | An alert goes out to the on-call engineer | Pass the filtered leads on to sales | Respond to the user on WhatsApp | Escalate the incident to the head of support`,
  },
  transform: {
    names: `Rename headers | CSV to JSON | Translate review | Normalize phone numbers | Lowercase emails | Map CRM fields | Format currency | Strip whitespace | Round amounts | Split full name | Flatten nested object | Markdown to HTML |
      Resize avatar | Convert timezone | Encode image | Reformat dates | Anonymize patient names | Build request body | Set fields | Prepare payload | Clean up text | Sort by price | Chunk document | Filename to slug | Unix time to ISO |
      Remove HTML tags | Compress PDF | Turn rows into columns | Decode token | Simplify merged output`,
    sentences: `Turn the table into a list of objects | Change all dates to ISO format | The amounts are converted to euros | Translate the complaint into English | Put the names in capital letters | Then rename the columns to match the CRM |
      Strip the HTML from the description | Bring every phone number into international form | Split the full name into first and last name | Reshape the response so that the next step can read it | Mask the card numbers in the log | Break the contract into chunks of 500 words |
      Replace line breaks with spaces | Rewrite the addresses in the post office's format | Crop and resize the product photo | Sort the invoices by due date | Encode the attachment as base64 | Map the fields of the form to those of the ledger |
      Make the keys of the object lower case | Format the summary as Markdown`,
  },
  conditional: {
    names: `Is VIP customer? | Amount over 1000? | If payment failed | Check if already sent | Route by language | Switch on status | Contract signed? | Order is cancelled | Has attachments | Urgent or not | Approved? | Weekend? | Need summary? |
      Whether consent exists | Which department? | Branch by region | In stock | If filter returned nothing | Did send succeed? | Decide escalation level | Compare versions | Payment method router | New or returning patient? | Loop over items |
      Is merged? | Stock below 5 | Error occurred? | Duplicate exists? | Check age | Any results?`,
    sentences: `Check whether the customer has paid and, if not, go to dunning | If the score is above 80, continue with the interview, otherwise stop | Does the message contain an attachment? | Decide which team should handle the ticket |
      Depending on the country, take the matching branch | Is the patient older than 65? | Route urgent tickets to the first queue | See if the order was already shipped | When the build fails go to the rollback | Determine whether the claim is covered |
      Go on only when the manager has approved {filter} | Should this email be answered by a person? | Was the parcel delivered on time? | Choose the path that fits the type of request | Find out whether the invoice is overdue {enrich} |
      Compare the two prices and take the branch of the lower one | Has the summary already been sent today? | Unless the stock is empty, proceed to checkout | Are there any new results? | Switch to the backup supplier if the first one does not answer`,
  },
  aggregate: {
    names: `Merge branches | Combine results | Collect answers | Join orders with customers {enrich} | Sum of expenses | Count tickets per agent | Group by month | Concatenate chunks | Consolidate invoices | Bundle attachments | All rows into one | Put pages together |
      Total revenue | Average rating | Gather feedback | Stitch clips | Union of lists | Compile report {generate} | Wait for both | Merge filtered leads | Combine summaries | Roll up costs | Tally votes | Items to array | Assemble documents | Zip files {transform} |
      Append to list | Merge if both | Statistics per region | Unify search results`,
    sentences: `Put the answers of all departments into one document | Add up the hours per project | Count how many tickets each agent closed | Join the two lists on the customer id | Bring the results of the three searches together |
      All summaries are combined into a single text | Merge the translated chapters back into one file | Group the complaints by product | Compute the average rating per course {transform} | Collect what the agents found and make one list of it |
      Then wait for both branches and merge their output | Stitch the audio clips together | Gather the feedback from every channel | What is the total of all open invoices? | Consolidate the three ledgers | The rows of all sheets are appended to one table |
      Tally the votes for each proposal | Roll the daily figures up to weeks | Combine the sent messages into one log | Pool the samples of all sites`,
  },
  filter: {
    names: `Only unpaid invoices | Drop empty rows | Dedupe contacts | Top 5 candidates | Keep valid emails | Remove spam | Without test accounts | Exclude archived | Latest version only | Skip processed | Limit to 100 | Ignore bots | First result |
      Unread only | Discard duplicates | Not yet sent | Remove outliers | Last 30 days | Open tickets only | Pick best answer | Shortlist applicants | Select active users | Omit merged PRs | Strip out signatures {transform} | Remove inactive members | Newest first 10 |
      Unique customers | Reject low scores | Filter validated leads | Leave out weekends`,
    sentences: `Keep only the tickets that are still open | Throw away rows without a price | Leave out everybody who has already been contacted | Only the ten best candidates are kept | Remove the duplicates from the mailing list | Take the first result only |
      Drop reviews with fewer than three words | Of these papers, keep those published after 2020 | From the leads, select the ones with a budget over 5000 | Ignore messages sent by bots | Do not pass on test orders | Skip whatever was summarized yesterday |
      Get rid of spam | Sort out the applications that miss a degree | Show just the overdue invoices | Anything older than a week can be dropped | I only want the transactions above 500 euros | Limit the list to customers from Spain | Everything but the merged requests is discarded |
      Narrow the search results down to hospitals`,
  },
  enrich: {
    names: `Company lookup | Get weather for city | Find CRM contact | Add exchange rate | Search knowledge base | Geocode address | Look up credit score | Customer details by email | Append firmographics | Clearbit | IP geolocation | Get user profile | Retrieve similar cases |
      Fetch order details | Complete missing addresses | Add author info | Google the company | WHOIS | Query vector store | Match to account | Enrich filtered leads | Get order by id | Find duplicate tickets in Jira | Attach purchase history | Search web for summary | Find LinkedIn profile |
      Stock price lookup | Load patient record | Vendor lookup by tax id | Supplement missing fields`,
    sentences: `Look up the customer's last orders in the CRM | Add the company's size and industry to each lead | Find out who owns the domain | Search the knowledge base for similar tickets | For each address, get the coordinates |
      Fill in the missing postcodes from the directory | Fetch the patient's allergies from the record | The leads are enriched with data from LinkedIn | Find the contract that belongs to the invoice | Get the current exchange rate for the currency | Attach the weather forecast to each delivery |
      Search the web for news about the company | Retrieve the passages that match the question | Then get the manager's name from the directory | Cross-reference the parts with the supplier's catalogue | Supplement every paper with its citation count |
      Find the account by the sender's email address | Complete the records with birth dates from the register | Check the company against the trade register and add its number {validate} | Who is responsible for this customer? Look it up.`,
  },
};

function readList(intent: Intent, kind: TradeStep["kind"], list: string): TradeStep[] {
  return list.split("|").map((entry, index) => {
    const [, text, also] = /^\s*(.*?)\s*(?:\{(.*)\})?\s*$/s.exec(entry)!;
    const alsoOk = (also ?? "").split(",").map((name) => INTENTS.find((known) => known === name.trim())).filter((known) => known !== undefined);
    return { text: text!, intent, kind, alsoOk, second: index % 2 === 1 };
  });
}

export const TRADE_STEPS: readonly TradeStep[] = INTENTS.flatMap((intent) => [...readList(intent, "name", LISTS[intent].names), ...readList(intent, "sentence", LISTS[intent].sentences)]);
