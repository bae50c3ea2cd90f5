/** Version for `--version` and the server metadata. */
export const VERSION = '0.1.0';
