/** CRDs for servers without CEL: older than 1.25 they refuse or forget its rules, which hold in TypeScript in any case. */
import type { CustomResourceDefinition } from './schemas.ts';

/** A copy without `x-kubernetes-validations`, at any depth. */
export function stripRules(crd: CustomResourceDefinition): CustomResourceDefinition {
  const strip = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(strip);
    if (typeof value !== 'object' || value === null) return value;
    const kept = Object.entries(value).filter(([key]) => key !== 'x-kubernetes-validations');
    return Object.fromEntries(kept.map(([key, one]) => [key, strip(one)]));
  };
  return strip(crd) as CustomResourceDefinition;
}
