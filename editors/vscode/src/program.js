// What is run, in terms of processes: no editor is needed to know it, so tests can.
'use strict';

const path = require('node:path');
const { fileURLToPath } = require('node:url');

/** The server: `settings` are those of the section `rbc`. */
function server(settings) {
  return { command: settings.path || 'rbc', args: ['lsp', '--stdio'] };
}

/** The build of a stage, or of the last one without `target`, with the document's directory as its context. */
function build(settings, uri, target) {
  const file = fileURLToPath(uri);
  const args = ['build', '--file', file];
  if (target !== undefined) args.push('--target', target);
  args.push(...(settings.build?.arguments ?? []), path.dirname(file));
  return { command: settings.path || 'rbc', args, cwd: path.dirname(file) };
}

/** The build of a target of a bake file, or of its default ones, in the file's directory. */
function bake(settings, uri, target) {
  const file = fileURLToPath(uri);
  const args = ['bake', '--file', file, ...(settings.bake?.arguments ?? [])];
  if (target !== undefined) args.push(target);
  return { command: settings.path || 'rbc', args, cwd: path.dirname(file) };
}

module.exports = { server, build, bake };
