// Uploads FILE to ENDPOINT with tus-js-client in chunks, breaks off in the middle, and resumes from its URL storage
// as a page does after a reload. Prints one line of JSON.
//
//   node tus_js_resume.mjs ENDPOINT TOKEN FILE CHUNK_BYTES PARALLEL URL_STORAGE_FILE

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { FileUrlStorage, Upload } from "tus-js-client";

const [endpoint, token, file, chunkBytes, parallel, storage] = process.argv.slice(2);
const { size } = await stat(file);
const statuses = [];

function upload(onProgress, resume) {
  return new Promise((resolve, reject) => {
    const parts = Number(parallel);
    const upload = new Upload(createReadStream(file), {
      endpoint,
      headers: { Authorization: `Bearer ${token}` },
      chunkSize: Number(chunkBytes),
      parallelUploads: parts > 1 ? parts : undefined,
      uploadSize: parts > 1 ? undefined : size,
      retryDelays: [0, 100, 500],
      metadata: { filename: basename(file), filetype: "video/mp4" },
      urlStorage: new FileUrlStorage(storage),
      storeFingerprintForResuming: true,
      removeFingerprintOnSuccess: true,
      onAfterResponse: (request, response) => {
        statuses.push(`${request.getMethod()} ${response.getStatus()}`);
      },
      onProgress: (sent, total) => onProgress(upload, sent, total, resolve),
      onError: reject,
      onSuccess: () => resolve(upload.url),
    });
    const begin = async () => {
      if (resume) upload.resumeFromPreviousUpload(await stored(upload));
      upload.start();
    };
    begin().catch(reject);
  });
}

/** What the storage holds of the upload; the library writes it without waiting. */
async function stored(upload) {
  for (let attempt = 0; attempt < 500; attempt++) {
    const [previous] = await upload.findPreviousUploads();
    if (previous) return previous;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("the URL storage holds nothing of the upload");
}

let stopped = false;
await upload((running, sent, total, done) => {
  const created = statuses.filter((status) => status === "POST 201").length;
  if (!stopped && sent > total / 2 && created === Number(parallel)) {
    stopped = true;
    running.abort().then(() => done(null));
  }
}, false);
if (!stopped) throw new Error("the first upload came to its end and was never broken off");
const before = statuses.length;
const url = await upload(() => {}, true);
console.log(JSON.stringify({ url, first: statuses.slice(0, before), second: statuses.slice(before) }));
