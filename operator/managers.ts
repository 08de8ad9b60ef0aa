/** Field managers: two, because a 1.20 server forgets who owns the spec when the same one writes the status. */
export const MANAGER = 'slice-operator';
export const STATUS_MANAGER = 'slice-operator-status';
