/** A queue as the API server would show it, and a world small enough to be stepped by hand: nodes that grant what they are asked. */
import { type Condition, getCondition, setCondition } from '../../../crds/conditions.ts';
import { ANNOTATION_WINDOW, API_VERSION, LABEL_QUEUED } from '../../../crds/names.ts';
import type { ResourceCapability, Slice, SliceSpec } from '../../../crds/types.ts';
import type { Effect, QueueInput, QueuePlan, Refused } from '../../../operator/brokers/queue/input.ts';
import { withNodes } from '../../../operator/brokers/queue/refusals.ts';
import { planQueue } from '../../../operator/brokers/queue/plan.ts';
import { givenName } from '../../../operator/brokers/queue/rights.ts';
import { keyOf } from '../../../kube/resources.ts';
import type { NodeState } from '../../../operator/slice/plan/input.ts';
import { aNode, aSlice, NOW } from '../slice/objects.ts';

export const BROKER = 'queue';
export const HOUR = 3_600_000;
const LENGTHS = { usual: HOUR, most: 4 * HOUR };

/** Everything there is, changed in place by `step`. */
export class QueueWorld {
  now = NOW;
  slices: Slice[] = [];
  readonly rights = new Map<string, ResourceCapability>();
  readonly refused = new Map<string, Refused>();
  readonly unmoved = new Map<string, Refused>();
  readonly barred = new Map<string, Refused>();
  readonly nodes: ReadonlyMap<string, NodeState>;
  /** Why a node refuses what it is asked; undefined grants. */
  decide: (right: ResourceCapability) => string | undefined = () => undefined;
  /** Whether nodes answer at once; else by `answer`. */
  prompt = true;
  /** Whether the operator makes values, and reads those that are shown. */
  values = true;
  #serial = 0;

  constructor(...names: string[]) {
    this.nodes = new Map(names.map((name) => [name, aNode(name, { labels: { rack: name } })]));
  }

  /** A slice that asks for these nodes, or for all. */
  add(name: string, spec: Partial<SliceSpec> = {}, seconds?: number): Slice {
    const slice = aSlice({ broker: BROKER, ...spec });
    const annotations = seconds === undefined ? undefined : { [ANNOTATION_WINDOW]: String(seconds) };
    const creationTimestamp = new Date(NOW).toISOString();
    const metadata = { ...slice.metadata, name, uid: `uid-of-${name}`, creationTimestamp };
    const made = { ...slice, metadata: { ...metadata, ...(annotations && { annotations }) } };
    this.slices.push(made);
    return made;
  }

  /** Asks for another length. */
  ask(name: string, seconds: number): void {
    this.slices = this.slices.map((one) => {
      const annotations = { [ANNOTATION_WINDOW]: String(seconds) };
      return one.metadata.name === name ? { ...one, metadata: { ...one.metadata, annotations } } : one;
    });
  }

  /** An rcap that somebody labelled and named as what was given to the slice on n1, with a value of nobody's. */
  bait(name: string, namespace: string, metadata: Partial<ResourceCapability['metadata']> = {}): string {
    const uid = `uid-of-${name}`;
    const labels = { [LABEL_QUEUED]: uid };
    const own = { namespace, name: givenName({ metadata: { name, uid } }, 'n1'), uid: `bait-${name}`, generation: 1 };
    const right: ResourceCapability = {
      apiVersion: API_VERSION,
      kind: 'ResourceCapability',
      metadata: { ...own, labels, ...metadata },
      spec: { nodeName: 'n1', contact: 'abc', redeem: 'nothing' },
      status: { observedGeneration: 1 },
    };
    this.rights.set(keyOf(right), right);
    return keyOf(right);
  }

  remove(name: string): void {
    this.slices = this.slices.filter(({ metadata }) => metadata.name !== name);
  }

  input(): QueueInput {
    const { slices, nodes, refused, unmoved, barred } = this;
    const memories = { refused, unmoved, barred };
    return { namespace: BROKER, slices, rights: [...this.rights.values()], nodes, lengths: LENGTHS, ...memories };
  }

  plan(): QueuePlan {
    return planQueue(this.input(), this.now);
  }

  /** Carries out a plan, the first so many of its writes, as nodes and the API server would. Whether anything was to be done. */
  step(most = Infinity): boolean {
    const plan = this.plan();
    for (const { uid, kind, message, nodes } of plan.found) {
      const by = withNodes(this[kind].get(uid), nodes, this.now);
      this[kind].set(uid, { message, until: this.now + 10_000, nodes: by });
    }
    let left = most;
    for (const { slice, verdict } of plan.told) {
      if (left-- <= 0) return true;
      const conditions = setCondition(slice.status?.conditions, { ...verdict, type: 'Queued' }, new Date(this.now));
      this.slices = this.slices.map((one) => (one === slice ? { ...one, status: { ...one.status, conditions } } : one));
    }
    for (const effect of plan.effects) {
      if (left-- <= 0) return true;
      this.#apply(effect);
    }
    if (this.prompt) this.answer();
    return plan.told.length + plan.effects.length + plan.found.length > 0;
  }

  /** Nodes answer so many of the questions that are open. */
  answer(most = Infinity): boolean {
    const all = [...this.rights.values()];
    const open = all.filter(({ metadata, spec, status }) => {
      return (status?.observedGeneration ?? 0) < metadata.generation! && (this.values || spec.redeem === undefined);
    });
    for (const right of open.slice(0, most)) this.#answer(right);
    // those that were granted while the operator was away
    const late = all.filter(
      ({ spec, status }) => this.values && spec.valueSecret && status?.granted && !status.valueDigest,
    );
    for (const right of late)
      this.rights.set(keyOf(right), { ...right, status: { ...right.status, ...valueOf(right) } });
    return open.length + late.length > 0;
  }

  /** Until nothing is left to be done. */
  settle(check: () => void = () => {}): void {
    for (let steps = 0; this.step() || this.answer(); steps++) {
      check();
      if (steps > 100) throw new Error(`it does not settle: ${JSON.stringify(this.plan(), undefined, 1)}`);
    }
  }

  queued(name: string): Condition | undefined {
    const slice = this.slices.find(({ metadata }) => metadata.name === name);
    return getCondition(slice?.status?.conditions, 'Queued');
  }

  /** Rights of a slice, as what they are and where. */
  heldBy(name: string): string[] {
    return [...this.rights.values()]
      .filter(({ metadata }) => metadata.labels?.['slice-operator.io/queued'] === `uid-of-${name}`)
      .map(({ metadata, spec }) => {
        const what = spec.redeem ? 'given' : spec.from ? 'part' : 'whole';
        return `${what} ${metadata.namespace}/${spec.nodeName}`;
      })
      .toSorted();
  }

  #apply(effect: Effect): void {
    if (effect.kind === 'remove') {
      const right = this.rights.get(keyOf({ metadata: effect.ref }))!;
      const { metadata } = right;
      if (metadata.finalizers) {
        const deletionTimestamp = new Date(this.now).toISOString();
        this.rights.set(keyOf(right), { ...right, metadata: { ...metadata, deletionTimestamp } });
        return;
      }
      this.rights.delete(keyOf(right));
      this.#giveBack(right);
      return;
    }
    if (effect.kind === 'edit') {
      const before = this.rights.get(keyOf({ metadata: effect.ref }))!;
      const spec = { ...before.spec, ...(effect.patch['spec'] as object) };
      const { window } = effect.patch['spec'] as { window?: object };
      if (window) spec.window = { ...before.spec.window, ...window };
      const metadata = { ...before.metadata, generation: before.metadata.generation! + 1 };
      this.rights.set(keyOf(before), { ...before, metadata, spec });
      return;
    }
    const creationTimestamp = new Date(this.now).toISOString();
    const own = { uid: `uid-${++this.#serial}`, generation: 1, creationTimestamp };
    const metadata = { ...effect.object.metadata, ...own };
    this.rights.set(keyOf(effect.object), { ...effect.object, metadata });
  }

  #answer(right: ResourceCapability): void {
    const { generation: observedGeneration } = right.metadata;
    const refusal = this.decide(right);
    const before = this.rights.get(keyOf(right))?.status?.granted;
    const verdict =
      refusal === undefined
        ? { status: 'True' as const, reason: 'Granted', message: 'granted' }
        : {
            status: before ? ('True' as const) : ('False' as const),
            reason: before ? 'ResizeDenied' : 'InsufficientShares',
            message: refusal,
          };
    const { resources = {}, window, sliceName, from } = right.spec;
    const nodeUID = `uid-of-${right.spec.nodeName}`;
    const bound = sliceName === undefined ? {} : { sliceName };
    const now = { nodeUID, resources, observedGeneration: observedGeneration!, ...(window && { window }), ...bound };
    const isParentGone = from !== undefined && !this.rights.has(`${right.metadata.namespace}/${from}`);
    if (isParentGone) throw new Error(`${from} is gone and was to be split`);
    const granted = refusal === undefined ? now : before;
    const digests = this.values ? valueOf(right) : {};
    const conditions = [{ type: 'Granted', ...verdict, lastTransitionTime: new Date(this.now).toISOString() }];
    const status = { observedGeneration: observedGeneration!, conditions, ...digests, ...(granted && { granted }) };
    this.rights.set(keyOf(right), { ...right, status });
    if (refusal !== undefined) return;
    if (from) this.#change(`${right.metadata.namespace}/${from}`, { givenAway: true });
    if (right.spec.redeem) this.#pass(right);
  }

  /** What was shown passes: the part is its former holder's no more. */
  #pass(given: ResourceCapability): void {
    for (const [key, part] of this.rights) {
      const same =
        part.metadata.labels?.['slice-operator.io/queued'] === given.metadata.labels?.['slice-operator.io/queued'];
      if (!part.spec.from || !same || part.spec.nodeName !== given.spec.nodeName) continue;
      const { granted: _, ...status } = part.status!;
      const passed = { ...status.conditions![0]!, status: 'False' as const, reason: 'Transferred' };
      this.rights.set(key, { ...part, status: { ...status, conditions: [passed] } });
    }
  }

  #giveBack({ spec, metadata, status }: ResourceCapability): void {
    const isOut = (spec.redeem !== undefined || spec.from !== undefined) && status?.granted !== undefined;
    if (!isOut) return;
    for (const [key, whole] of this.rights) {
      const same =
        whole.metadata.labels?.['slice-operator.io/queued'] === metadata.labels?.['slice-operator.io/queued'];
      if (same && !whole.spec.from && !whole.spec.redeem && whole.spec.nodeName === spec.nodeName) {
        const { givenAway: _, ...granted } = whole.status!.granted!;
        this.rights.set(key, { ...whole, status: { ...whole.status, granted } });
      }
    }
  }

  #change(key: string, change: object): void {
    const whole = this.rights.get(key)!;
    this.rights.set(key, { ...whole, status: { ...whole.status, granted: { ...whole.status!.granted!, ...change } } });
  }
}

function valueOf({ spec: { valueSecret } }: ResourceCapability) {
  return valueSecret === undefined ? {} : { valueSecret, valueDigest: 'a'.repeat(64) };
}
