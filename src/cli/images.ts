import { Flags } from '@oclif/core';
import type { ImagesListResult } from './schemas.js';
import { table } from './table.js';
import { size } from './text.js';

/** What says which stack's images are meant. */
export const imageFlags = {
  stack: Flags.string({ helpValue: 'NAME', summary: 'Of which stack' }),
  engine: Flags.string({ helpValue: 'auto|risingwave|flink', summary: 'With which engine' }),
  catalog: Flags.string({ helpValue: 'auto|polaris|iceberg-rest', summary: 'With which catalog' }),
};

export const imageChoice = ({ stack, engine, catalog }: { stack?: string; engine?: string; catalog?: string }) => ({
  flags: { stack, engine, catalog },
});

type Images = Pick<ImagesListResult, 'images' | 'complete' | 'bytes'>;

/** A line an image, and what is still to be done. */
export function imagesText({ images, complete, bytes }: Images): string {
  const showsCluster = images.some(({ inCluster }) => inCluster !== null);
  const rows = images.map(({ name, image, here, bytes: own, inCluster }) => [
    name,
    image,
    here ? size(own ?? 0) : 'not here',
    ...(showsCluster ? [inCluster === true ? 'yes' : ''] : []),
  ]);
  const missing = images.filter(({ here }) => !here).length;
  const verdict = complete
    ? `All ${images.length} images are here, ${size(bytes)}.`
    : `${missing} of ${images.length} images are not here: \`forge images pull\`.`;
  return `${table(['name', 'image', 'size', ...(showsCluster ? ['in the cluster'] : [])], rows)}\n\n${verdict}`;
}
