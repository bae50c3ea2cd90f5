/** Public face of the client package. */
export {};
