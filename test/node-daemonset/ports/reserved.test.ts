import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { planReserved } from '../../../node-daemonset/ports/plan.ts';
import { ReservedPorts } from '../../../node-daemonset/ports/reserved.ts';

const ports = fc.uniqueArray(fc.integer({ min: 1, max: 40 })).map((list) => new Set(list));

describe('reserved ports', () => {
  it('are those of the owner and those that are wanted, and go back to his alone', () => {
    fc.assert(
      fc.property(ports, ports, ports, ports, (owners, first, second, added) => {
        let state = planReserved(owners, new Set(), first);
        assert.deepEqual(new Set(state.kernel), owners.union(first));
        // the owner adds some meanwhile
        state = planReserved(state.kernel.union(added), state.added, second);
        assert.ok(second.isSubsetOf(state.kernel) && owners.isSubsetOf(state.kernel));
        state = planReserved(state.kernel, state.added, new Set());
        assert.equal(state.added.size, 0);
        assert.ok(owners.isSubsetOf(state.kernel), 'nothing of his is taken away');
        assert.ok(state.kernel.isSubsetOf(owners.union(added)), 'nothing of ours is left');
      }),
    );
  });

  describe('in files', () => {
    let directory: string;
    const kernel = (): string => readFileSync(join(directory, 'ip_local_reserved_ports'), 'utf8');
    const open = (): ReservedPorts => new ReservedPorts(join(directory, 'record.json'), directory);

    beforeEach(() => {
      directory = mkdtempSync(join(tmpdir(), 'reserved-'));
      writeFileSync(join(directory, 'ip_local_port_range'), '32768\t60999\n');
      writeFileSync(join(directory, 'ip_local_reserved_ports'), '\n');
    });
    afterEach(() => rmSync(directory, { recursive: true }));

    it('says so where the kernel does not take them', () => {
      // what is written at place 1 of a file adds nothing, it overwrites
      writeFileSync(join(directory, 'ip_local_reserved_ports'), '1,2,33000\n');
      assert.throws(() => open().add([40_000]), /ip_local_reserved_ports does not take 40000|is no port/);
    });

    it('leaves ports alone that the kernel never hands out', () => {
      assert.equal(open().set([8080, 32_767, 61_000]), 0);
      assert.equal(kernel(), '\n');
    });

    it('takes no record for an empty one that can’t be read: what is ours would become the owner’s', () => {
      writeFileSync(join(directory, 'record.json'), '{');
      assert.throws(() => open().set([40_000]), /record.json can't be read/);
    });
  });
});
