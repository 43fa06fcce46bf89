import { countRunning, listLacking, shareStarts, sumWanted, trimGrant, type StartBucket, type StartGrant } from "../../src/workflow/starts/start-permits.ts";
import type { StartsQuestion, StartsReply } from "../../src/workflow/starts/starts-known.ts";
import type { Run } from "../../src/workflow/run.ts";
import { CallLost } from "./object.ts";
import { mustHold } from "./violation.ts";
import type { World } from "./world.ts";

/** The tenant's object, as far as its limits go. Another workflow takes some of the places at times. It does not die: it keeps what it granted. */
export class SimulatedTenant {
  readonly #world: World;
  readonly #limits: { tasksPerSecond: number | null; concurrentTasks: number | null };
  #grant: StartGrant | null = null;
  #bucket: StartBucket | null = null;
  #takenByOthers = 0;
  #sent = 0;
  #heard = 0;
  #waiting: { question: StartsQuestion; reply: (reply: StartsReply) => void } | null = null;

  constructor(world: World, limits: { tasksPerSecond: number | null; concurrentTasks: number | null }) {
    this.#world = world;
    this.#limits = limits;
    if (limits.concurrentTasks !== null && limits.concurrentTasks > 1) this.#planOthers();
  }

  /** The question may be lost, overtaken by a later one, and its answer lost too; a workflow's object that died meanwhile hears nothing. */
  ask(question: StartsQuestion): void {
    const { agenda, random, object, strikes } = this.#world;
    const { life } = object;
    const isAnswerLost = strikes("loseAnswer");
    // Mostly the caller hears of it; a connection that hangs says nothing.
    const isSilent = isAnswerLost && random.chance(0.5);
    const answer = (reply: StartsReply): void => {
      if (isSilent) return;
      agenda.after(random.between(0, 20), () => {
        if (object.life === life) this.#tell(question, isAnswerLost ? { kind: "failed" } : reply);
      });
    };
    if (strikes("loseRequest")) return agenda.after(random.between(1, 500), () => answer({ kind: "failed" }));
    const revision = (this.#sent += 1);
    agenda.after(random.between(0, 20), () => {
      if (revision < this.#heard) return answer({ kind: "granted", upTo: question.demand.started });
      this.#heard = revision;
      this.#take(question, answer);
    });
  }

  /** No workflow runs more than it was granted, and all together no more than is allowed. */
  see({ index }: Run): void {
    const { started } = index.counts;
    mustHold(started <= (this.#grant?.upTo ?? 0), "nothing starts that the tenant's limits do not let start", () => `${started} of ${this.#grant?.upTo}`);
    const { concurrentTasks } = this.#limits;
    mustHold(concurrentTasks === null || index.live.size <= concurrentTasks, "no more run at once than the tenant may", () => `${index.live.size} of ${concurrentTasks}`);
  }

  #take(question: StartsQuestion, reply: (reply: StartsReply) => void): void {
    this.#waiting?.reply({ kind: "granted", upTo: this.#grant!.upTo });
    this.#grant = trimGrant(this.#grant, question.demand);
    this.#waiting = { question, reply };
    if (sumWanted(listLacking(question.demand, this.#grant)) === 0) return this.#answer();
    this.#share();
    this.#world.agenda.after(question.patienceMs, () => this.#waiting?.question === question && this.#answer());
  }

  #share(): void {
    if (this.#waiting === null) return;
    const now = this.#world.agenda.now;
    const { demand } = this.#waiting.question;
    const { granted, bucket, nextAt } = shareStarts([{ key: 0, wanted: listLacking(demand, this.#grant!), servedAt: 0 }], countRunning(this.#grant!) + this.#takenByOthers, this.#limits, this.#bucket, now);
    this.#bucket = bucket;
    this.#grant = { ...this.#grant!, upTo: this.#grant!.upTo + (granted.get(0) ?? 0) };
    if (this.#grant.upTo > demand.started) return this.#answer();
    if (nextAt !== null) this.#world.agenda.after(nextAt - now, () => this.#share());
  }

  #answer(): void {
    const waiting = this.#waiting!;
    this.#waiting = null;
    waiting.reply({ kind: "granted", upTo: this.#grant!.upTo });
  }

  #tell({ number }: StartsQuestion, reply: StartsReply): void {
    try {
      this.#world.object.call({ type: "starts", number, reply });
    } catch (error) {
      if (!(error instanceof CallLost)) throw error;
    }
  }

  /** For a while another workflow has places; then all of them are free again. */
  #planOthers(): void {
    const { agenda, random, scenario } = this.#world;
    for (let time = 0; time < 10; time += 1) {
      agenda.after(random.between(0, Math.max(1, scenario.faultsUntilMs)), () => {
        const free = this.#limits.concurrentTasks! - this.#takenByOthers - (this.#grant === null ? 0 : countRunning(this.#grant));
        const taken = random.between(0, Math.max(0, free));
        this.#takenByOthers += taken;
        agenda.after(random.between(1, 5_000), () => {
          this.#takenByOthers -= taken;
          this.#share();
        });
      });
    }
  }
}
