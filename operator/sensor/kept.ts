/** What the operator keeps of a Sensor: it reads none, so its whereabouts and whether it is valid are enough. */
import { GROUP } from '../../crds/names.ts';
import type { Sensor } from '../../crds/types.ts';
import { describe, validateSensor } from '../../crds/validate.ts';
import { cut } from '../../crds/text.ts';

/** In the operator's memory only: what is wrong with the spec. Informers drop one that a user wrote. */
const WRONG = `${GROUP}/wrong`;
const MAX_TEXT = 512;

/** What the store keeps; a valid spec can have 16 KiB, and an invalid one more than a megabyte. */
export function keptSensor(sensor: Sensor): Sensor {
  const { file, slice } = sensor.spec;
  const wrong = cut(describe(validateSensor(sensor)), MAX_TEXT);
  const { annotations } = sensor.metadata;
  const metadata =
    wrong === '' ? sensor.metadata : { ...sensor.metadata, annotations: { ...annotations, [WRONG]: wrong } };
  const path = file && cut(file.path, MAX_TEXT);
  const where = { ...(slice !== undefined && { slice: cut(slice, MAX_TEXT) }) };
  return { ...sensor, metadata, spec: { columns: [], ...where, ...(path !== undefined && { file: { path } }) } };
}

/** What is wrong with one that was kept; undefined where nothing is. */
export function wrongWith({ metadata }: Sensor): string | undefined {
  return metadata.annotations?.[WRONG];
}
