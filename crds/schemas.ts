/** The CRDs as they are checked in: the one source of types, validation and what the chart installs. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** As much of an OpenAPI v3 schema as our CRDs use. */
export interface Schema {
  title?: string;
  description?: string;
  type?: string;
  format?: string;
  enum?: string[];
  required?: string[];
  properties?: Record<string, Schema>;
  additionalProperties?: Schema;
  items?: Schema;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  maxProperties?: number;
  'x-kubernetes-int-or-string'?: boolean;
  'x-kubernetes-list-type'?: string;
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-validations'?: { rule: string; message: string }[];
}

export interface CustomResourceDefinition {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
  spec: {
    names: { kind: string; plural: string; singular: string; shortNames: string[]; categories?: string[] };
    versions: { name: string; schema: { openAPIV3Schema: Schema } }[];
  };
}

/** Order: a name here needs no other to be there first. */
export const CRD_FILES = [
  'slice.yaml',
  'resourcecapability.yaml',
  'slicenode.yaml',
  'slicenodepolicy.yaml',
  'restraint.yaml',
  'watchdog.yaml',
  'sensor.yaml',
] as const;

export function readCrd(file: (typeof CRD_FILES)[number]): CustomResourceDefinition {
  return parse(readFileSync(new URL(file, import.meta.url), 'utf8')) as CustomResourceDefinition;
}

/** The schema of the one version of a CRD. */
export function schemaOf(crd: CustomResourceDefinition): Schema {
  return crd.spec.versions[0]!.schema.openAPIV3Schema;
}
