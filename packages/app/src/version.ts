/** The version of the product, as `--version` and the server metadata tell it. */
export const VERSION = '0.1.0';
