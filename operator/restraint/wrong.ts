/** Says of a Restraint that makes no sense that it does: it has no status, and whoever made it takes somebody for restrained. */
import { keyOf } from '../../kube/resources.ts';
import type { Restraint } from '../../crds/types.ts';
import { describe, validateRestraint } from '../../crds/validate.ts';
import type { EventRecorder } from '../../kube/events.ts';
import { isDeleting } from '../kinds.ts';

/** Beyond these it looks at all of them again. */
const MOST_KNOWN = 10_000;

/** An Event for each that is wrong, once for each of its versions. */
export function restraintCritic(recorder: Pick<EventRecorder, 'record'>): (all: readonly Restraint[]) => void {
  const known = new Set<string>();
  return (all) => {
    for (const restraint of all) {
      const { uid, generation } = restraint.metadata;
      const version = `${keyOf(restraint)}/${uid}/${generation}`;
      if (known.has(version) || isDeleting(restraint)) continue;
      if (known.size >= MOST_KNOWN) known.clear();
      known.add(version);
      const violations = validateRestraint(restraint);
      if (violations.length === 0) continue;
      recorder.record(restraint, 'Warning', 'InvalidSpec', `it may hold nobody: ${describe(violations)}`);
    }
  };
}
