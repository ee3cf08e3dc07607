// Shows the OpenAPI document. Its texts become text, never markup.
'use strict';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

// element('td', {class: 'x'}, 'text', child, …); what is null is left out.
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

// Text in which `code` stands between backquotes.
function prose(text) {
  const parts = (text || '').split('`');
  return parts.map((part, at) => (at % 2 ? element('code', {}, part) : part));
}

function json(value) {
  return element('pre', {}, typeof value === 'string' ? value : JSON.stringify(value, null, 2));
}

function table(heads, rows) {
  const row = (kind) => (cells) => element('tr', {}, cells.map((cell) => element(kind, {}, cell)));
  return element('table', {}, row('th')(heads), rows.map(row('td')));
}

// What a value may be, in a few words; a named schema is a link to it.
function typeOf(schema) {
  if (!schema) return ['anything'];
  if (schema.$ref) {
    const name = schema.$ref.split('/').pop();
    return [element('a', {href: `#schema-${name}`}, name)];
  }
  const either = schema.oneOf || schema.anyOf;
  if (either) return either.flatMap((one, at) => (at ? [' or ', ...typeOf(one)] : typeOf(one)));
  if (schema.enum) return [schema.enum.map((word) => JSON.stringify(word)).join(', ')];
  const types = [schema.type || 'anything'].flat().join(' or ');
  if (schema.items) return [`${types} of `, ...typeOf(schema.items)];
  if (schema.additionalProperties?.type || schema.additionalProperties?.$ref) {
    return [`${types} of `, ...typeOf(schema.additionalProperties)];
  }
  return [[types, ...limits(schema)].join(', ')];
}

function limits(schema) {
  const known = {
    format: '', minimum: 'from ', maximum: 'to ', minLength: 'at least characters: ',
    maxLength: 'at most characters: ', maxItems: 'at most items: ', pattern: 'like ',
  };
  return Object.keys(known).filter((key) => key in schema).map((key) => known[key] + schema[key]);
}

// What is said of a field, wherever it stands.
function described(schema) {
  const either = (schema.oneOf || schema.anyOf || []).find((one) => one.description);
  return schema.description || either?.description || '';
}

function fields(schema) {
  const required = schema.required || [];
  return table(['Field', 'Type', 'Meaning'], Object.entries(schema.properties).map(([name, field]) => [
    element('code', {}, required.includes(name) ? name : `${name}?`), typeOf(field), prose(described(field)),
  ]));
}

function parameters(list) {
  return table(['Parameter', 'In', 'Type', 'Meaning'], list.map((one) => [
    element('code', {}, one.required ? one.name : `${one.name}?`), one.in, typeOf(one.schema),
    [...prose(one.description), one.example === undefined ? null : element('div', {}, 'like ', element('code', {}, String(one.example)))],
  ]));
}

function contents(content, schemas) {
  return Object.entries(content || {}).flatMap(([kind, {schema, example, examples}]) => {
    const named = schemas[schema?.$ref?.split('/').pop()];
    const shown = example ?? (examples ? undefined : named?.example);
    return [
      element('p', {}, element('code', {}, kind), ' ', typeOf(schema)),
      shown === undefined ? null : json(shown),
      ...Object.values(examples || {}).flatMap((one) => [element('p', {}, one.summary || ''), json(one.value)]),
    ];
  });
}

function response([status, answer], schemas) {
  const headers = Object.entries(answer.headers || {});
  return element('details', {},
    element('summary', {}, element('code', {}, status), prose(answer.description)),
    headers.map(([name, header]) => element('p', {}, element('code', {}, name), ': ', prose(header.description))),
    contents(answer.content, schemas));
}

function operation(path, method, spec, schemas) {
  const name = method.toUpperCase();
  return element('details', {id: spec.operationId, 'data-text': `${name} ${path} ${spec.summary}`.toLowerCase()},
    element('summary', {}, element('code', {class: `method ${name}`}, name), element('code', {}, path), prose(spec.summary)),
    spec.description ? element('p', {}, prose(spec.description)) : null,
    spec.parameters?.length ? [element('h4', {}, 'Parameters'), parameters(spec.parameters)] : null,
    spec.requestBody ? [element('h4', {}, 'Body'), contents(spec.requestBody.content, schemas)] : null,
    element('h4', {}, 'Answers'), Object.entries(spec.responses).map((one) => response(one, schemas)));
}

function schemaOf([name, schema]) {
  return element('details', {id: `schema-${name}`, 'data-text': name.toLowerCase()},
    element('summary', {}, element('code', {}, name)),
    schema.description ? element('p', {}, prose(schema.description)) : null,
    schema.properties ? fields(schema) : element('p', {}, typeOf(schema)),
    schema.example === undefined ? null : json(schema.example));
}

function show(doc) {
  const schemas = doc.components?.schemas || {};
  const byTag = new Map();
  for (const [path, methods] of Object.entries(doc.paths)) {
    for (const method of METHODS.filter((one) => one in methods)) {
      const [tag = 'other'] = methods[method].tags || [];
      byTag.set(tag, [...(byTag.get(tag) || []), operation(path, method, methods[method], schemas)]);
    }
  }
  const sections = [...byTag, ['schemas', Object.entries(schemas).map(schemaOf)]];
  document.getElementById('version').textContent = doc.info.version;
  document.getElementById('about').replaceChildren(...prose(doc.info.description));
  document.getElementById('content').replaceChildren(
    ...sections.map(([tag, parts]) => element('section', {}, element('h2', {}, tag), parts)));
  window.addEventListener('hashchange', open);
  document.getElementById('filter').addEventListener('input', filter);
  open();
}

// Opens what the address names.
function open() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) {
    target.open = true;
    target.scrollIntoView();
  }
}

function filter(event) {
  const words = event.target.value.toLowerCase().split(/\s+/);
  for (const one of document.querySelectorAll('[data-text]')) {
    one.hidden = !words.every((word) => one.dataset.text.includes(word));
  }
}

fetch('/api/v0/docs.json')
  .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`status ${answer.status}`))))
  .then(show)
  .catch((error) => {
    document.getElementById('content').replaceChildren(`The document cannot be shown: ${error.message}`);
  });
