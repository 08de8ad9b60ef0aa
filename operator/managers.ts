/** Field managers: two at least, because a 1.20 server forgets who owns the spec when the same one writes the status. */
export const MANAGER = 'slice-operator';
export const STATUS_MANAGER = 'slice-operator-status';
/** Of what is told to slivers that ask over their node's local API. */
export const LOCAL_MANAGER = 'slice-operator-local';
