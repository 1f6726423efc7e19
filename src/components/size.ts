const MEBIBYTES: Record<string, number> = { k: 1 / 1024, m: 1, g: 1024 };

/** MiB of a size of the configuration (`192m`, `1g`), rounded up. */
export const mebibytes = (size: string): number => Math.ceil(Number(size.slice(0, -1)) * (MEBIBYTES[size.slice(-1).toLowerCase()] ?? NaN));

/** A quantity of Kubernetes: the size, and so many MiB more for what is not in it. */
export const quantity = (size: string, more: number): string => `${mebibytes(size) + more}Mi`;
