/** The operator's controllers, and which of them are to run. */

export const CONTROLLERS = ['slice', 'broker', 'capability', 'node', 'watchdog', 'sensor', 'local'] as const;
/** `broker` is the default broker: it acquires rights for Slices; `slice` runs their slivers by whatever rights they have. */
export type Controller = (typeof CONTROLLERS)[number];

/** What has a queue and workers of its own: the controllers, and what runs with one of them. */
export const WORKS = [...CONTROLLERS, 'policy'] as const;
/** `policy` says where SliceNodePolicies are in force, which `node` puts together. */
export type Work = (typeof WORKS)[number];

export function controllerFor(work: Work): Controller {
  return work === 'policy' ? 'node' : work;
}

/**
 * As kube-controller-manager has it: `*` is all, `name` one, `-name` not that one, and the first of a name counts. Throws
 * what to write instead.
 */
export function readControllers(text: string): ReadonlySet<Controller> {
  const words = text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
  for (const word of words) {
    const name = word.replace(/^-/, '');
    if (word === '*' || CONTROLLERS.some((one) => one === name)) continue;
    throw new Error(
      `there is no controller ${JSON.stringify(word)}; there are ${CONTROLLERS.join(', ')}, and * for all`,
    );
  }
  const isStarred = words.includes('*');
  return new Set(
    CONTROLLERS.filter((name) => {
      const said = words.find((word) => word === name || word === `-${name}`);
      return said === undefined ? isStarred : said === name;
    }),
  );
}
