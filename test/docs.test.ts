/** The documentation names what there is. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DROPS } from '../node-daemonset/bpf/kernel.ts';
import { flowsSensor } from '../node-daemonset/sensors/builtin/flows.ts';
import { machineSensors } from '../node-daemonset/sensors/builtin/machine.ts';
import { nodesSensor } from '../node-daemonset/sensors/builtin/nodes.ts';
import { rightsSensors } from '../node-daemonset/sensors/builtin/rights.ts';
import { sliverSensors } from '../node-daemonset/sensors/builtin/slivers.ts';
import { topologySensors } from '../node-daemonset/sensors/builtin/topology.ts';
import { REASONS } from '../operator/brokers/tickets/refusal.ts';
import { CRD_FILES, readCrd } from '../crds/schemas.ts';
import { EXAMPLES, isOurs, manifestsOf, problemsOf, SHOWN } from './manifests.ts';
import {
  CapabilityEvent,
  CapabilityReason,
  NodeReason,
  PolicyReason,
  SensorReason,
  SliceReason,
  WatchdogReason,
} from '../crds/conditions.ts';

const DOCS = fileURLToPath(new URL('../docs', import.meta.url));
const troubleshooting = readFileSync(join(DOCS, 'troubleshooting.md'), 'utf8');

/** The reasons that a section's table has a row for. */
function rows(heading: string): string[] {
  const [, after = ''] = troubleshooting.split(`\n## ${heading}\n`);
  const [section = ''] = after.split('\n## ');
  return [...section.matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1]!);
}

describe('docs/troubleshooting.md', () => {
  for (const [kind, reasons] of [
    ['Slice', SliceReason],
    ['ResourceCapability', CapabilityReason],
    ['SliceNode', NodeReason],
    ['SliceNodePolicy', PolicyReason],
    ['Watchdog', WatchdogReason],
    ['Sensor', SensorReason],
  ] as const) {
    it(`explains every reason of a ${kind}, once, and no other`, () => {
      assert.deepEqual(rows(kind).toSorted(), Object.values(reasons).toSorted());
    });
  }
});

describe('docs/troubleshooting.md, of rights that nobody answers', () => {
  it('explains every Event, once, and no other', () => {
    const told = rows('A ResourceCapability without conditions');
    assert.deepEqual(told.toSorted(), Object.values(CapabilityEvent).toSorted());
  });
});

describe('docs/troubleshooting.md, of packets', () => {
  it('explains every reason for which one is dropped, once, and no other', () => {
    assert.deepEqual(rows('Dropped packets').toSorted(), [...DROPS, 'queue'].toSorted());
  });
});

describe('docs/sensors.md', () => {
  it('has every builtin, with what may follow its name and its columns', () => {
    const text = readFileSync(join(DOCS, 'sensors.md'), 'utf8').split('\n## Builtins\n')[1]!;
    const told = text.split('\n## ')[0]!.matchAll(/^\| `(\w+)`(?: `([^`]+)`)? \| ([\w, ]+) \|/gm);
    const builtins = [
      machineSensors({ disks: [], now: Date.now }),
      sliverSensors({} as never),
      rightsSensors({} as never),
      nodesSensor({} as never, Date.now),
      flowsSensor({} as never),
      topologySensors({} as never),
    ].flat();
    assert.deepEqual(
      [...told].map(([, name, args, columns]) => [name, args, columns]).toSorted(),
      builtins
        .map(({ info }) => [info.name, info.arguments, info.columns.map(({ name }) => name).join(', ')])
        .toSorted(),
    );
  });
});

describe('docs/tickets.md', () => {
  it('explains every reason, with its status, and no other', () => {
    const text = readFileSync(join(DOCS, 'tickets.md'), 'utf8');
    const told = [...text.matchAll(/^\| `(\w+)` \| (\d{3}) \|/gm)].map(([, reason, status]) => [
      reason,
      Number(status),
    ]);
    assert.deepEqual(Object.fromEntries(told) as object, REASONS);
  });
});

describe('docs/install.md', () => {
  it('says how to be rid of every CRD', () => {
    const line = /^kubectl delete crd (.+)$/m.exec(readFileSync(join(DOCS, 'install.md'), 'utf8'))![1]!;
    assert.deepEqual(line.split(' ').toSorted(), CRD_FILES.map((file) => readCrd(file).metadata.name).toSorted());
  });
});

describe('docs/capabilities.md', () => {
  const text = readFileSync(join(DOCS, 'capabilities.md'), 'utf8');
  const folder = join(EXAMPLES, 'capabilities');

  it('shows every operation as the manifest that examples/capabilities has, and none in another way', () => {
    const files = globSync('*.yaml', { cwd: folder }).toSorted();
    const shown = SHOWN.filter(({ place }) => place.startsWith('docs/capabilities.md '));
    const byText = new Map(files.map((file) => [readFileSync(join(folder, file), 'utf8'), file]));
    assert.deepEqual(shown.map((one) => byText.get(one.text)).toSorted(), files);
    assert.doesNotMatch(text, /kubectl (\S+ )*(patch|edit|create|label|annotate)\b/);
  });

  it('names each in the table of operations, and applies it', () => {
    for (const file of globSync('*.yaml', { cwd: folder })) {
      assert.ok(text.includes(`| [${file}](../examples/capabilities/${file}) |`), file);
      assert.match(text, new RegExp(`^\\$ kubectl (-n \\w+ )?apply -f examples/capabilities/${file}$`, 'm'));
    }
  });
});

describe('the commands of docs/capabilities.md', () => {
  const text = readFileSync(join(DOCS, 'capabilities.md'), 'utf8');
  const commands = [...text.matchAll(/^\$ (kubectl .+)$/gm)].map(([, command]) => command!);

  it('release nothing before the last that needs it', () => {
    const first = commands.findIndex((command) => / delete /.test(command));
    assert.ok(first > commands.findLastIndex((command) => / apply /.test(command)), commands.join('\n'));
  });

  it('take place in the present namespace, and in that of the other, which all names agree with', () => {
    for (const command of commands) assert.doesNotMatch(command, /-n (?!theirs )/);
    for (const [, namespace] of text.matchAll(/\b([a-z]+)\/(?:course|team-1)\b/g)) assert.equal(namespace, 'ours');
  });
});

describe('docs/local-api.md', () => {
  it('has the manifest of every operation that the socket does not offer', () => {
    const text = readFileSync(join(DOCS, 'local-api.md'), 'utf8');
    const offered = ['acquire.yaml', 'bind.yaml', 'split.yaml'];
    const others = globSync('*.yaml', { cwd: join(EXAMPLES, 'capabilities') }).filter(
      (file) => !offered.includes(file),
    );
    for (const file of others) assert.ok(text.includes(`(../examples/capabilities/${file})`), file);
  });
});

describe('manifests in the documentation', () => {
  it('are looked at at all', () => assert.ok(SHOWN.length > 15, `${SHOWN.length}`));

  for (const one of SHOWN) {
    it(`${one.place} is valid`, () => {
      for (const object of manifestsOf(one).filter(isOurs)) assert.equal(problemsOf(object), '', one.place);
    });
  }
});

describe('docs', () => {
  for (const file of globSync('*.md', { cwd: DOCS })) {
    it(`${file} links to files that are there`, () => {
      const links = [...readFileSync(join(DOCS, file), 'utf8').matchAll(/\]\(([^)#:]+)(#[^)]*)?\)/g)];
      for (const [, link] of links) assert.ok(existsSync(join(dirname(join(DOCS, file)), link!)), link);
    });
  }
});
