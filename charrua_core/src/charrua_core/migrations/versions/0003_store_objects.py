"""The statement by which a group of received objects enters the index, as a function: one round trip, one commit.

Locks are taken in the order study (by UID), series, instance (by SOP Instance UID), so that the processes that
store at the same time wait for one another in one order.
"""

from __future__ import annotations

from alembic import op

revision = "0003_store_objects"
down_revision = "0002_grams"
branch_labels = None
depends_on = None

IDENTITY = r"""
-- Whose study it is, as one text: what a judge has seen is compared with it while the row is locked.
CREATE FUNCTION core.identity_of(study core.study) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT study.patient_id || E'\\' || study.issuer || E'\\' || study.patient_name
$$
"""

OPEN_SERIES = """
-- Make the series of an object, and its study, where they are not there yet.
-- 'study' or 'series': that was made; 'there': nothing was; 'stale': the study is not the one that the judge has seen.
CREATE FUNCTION core.open_series(study_row jsonb, series_row jsonb, seen text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    new_study core.study := jsonb_populate_record(NULL::core.study, study_row);
    new_series core.series := jsonb_populate_record(NULL::core.series, series_row);
    known core.study;
    made_study boolean;
BEGIN
    IF EXISTS (
        SELECT FROM core.series s
        WHERE s.received_study_uid = new_series.received_study_uid AND s.series_uid = new_series.series_uid
    ) THEN
        RETURN 'there';
    END IF;
    INSERT INTO core.study (
        study_uid, patient_id, issuer, patient_name, patient_name_key, patient_birth_date, patient_sex, study_date,
        study_time, accession_number, study_id, study_description, study_description_key, referring_physician_name,
        referring_physician_name_key, attributes, first_received_at, last_received_at
    ) VALUES (
        new_study.study_uid, new_study.patient_id, new_study.issuer, new_study.patient_name, new_study.patient_name_key,
        new_study.patient_birth_date, new_study.patient_sex, new_study.study_date, new_study.study_time,
        new_study.accession_number, new_study.study_id, new_study.study_description, new_study.study_description_key,
        new_study.referring_physician_name, new_study.referring_physician_name_key, new_study.attributes,
        new_study.first_received_at, new_study.first_received_at
    ) ON CONFLICT (study_uid) DO NOTHING;
    made_study := FOUND;
    SELECT * INTO STRICT known FROM core.study t WHERE t.study_uid = new_study.study_uid FOR NO KEY UPDATE;
    IF NOT made_study AND core.identity_of(known) IS DISTINCT FROM seen THEN
        RETURN 'stale';
    END IF;
    INSERT INTO core.series (
        study_id, series_uid, received_study_uid, modality, series_number, series_description, series_description_key,
        body_part_examined, series_date, series_time, performed_procedure_step_start_date,
        performed_procedure_step_start_time, station_name, institution_name, institution_name_key, attributes,
        first_received_at, last_received_at, deleted_by
    ) VALUES (
        coalesce(known.merged_into, known.id), new_series.series_uid, new_series.received_study_uid, new_series.modality,
        new_series.series_number, new_series.series_description, new_series.series_description_key,
        new_series.body_part_examined, new_series.series_date, new_series.series_time,
        new_series.performed_procedure_step_start_date, new_series.performed_procedure_step_start_time,
        new_series.station_name, new_series.institution_name, new_series.institution_name_key, new_series.attributes,
        new_series.first_received_at, new_series.first_received_at,
        -- Where none of the study's own objects is shown in it, this one will speak for it: that is looked at alone.
        CASE WHEN (known.instance_count > 0 OR known.deleted_by IS NOT NULL) AND NOT EXISTS (
            SELECT FROM core.series s WHERE s.received_study_uid = known.study_uid AND s.study_id = known.id
            AND s.instance_count > 0
        ) THEN '00000000-0000-0000-0000-000000000000'::uuid END
    ) ON CONFLICT (received_study_uid, series_uid) DO NOTHING;
    RETURN CASE WHEN made_study THEN 'study' WHEN FOUND THEN 'series' ELSE 'there' END;
END
$$
"""

COUNT_OBJECTS = """
-- Count the objects that a series has got, all of one SOP class, on the series and on the study where it now is.
CREATE FUNCTION core.count_objects(series core.series, objects integer, bytes bigint, last timestamptz, sop_class text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE core.series s SET instance_count = s.instance_count + objects, size_bytes = s.size_bytes + bytes,
        last_received_at = greatest(s.last_received_at, last)
    WHERE s.id = series.id;
    UPDATE core.study t SET instance_count = t.instance_count + objects, size_bytes = t.size_bytes + bytes,
        last_received_at = greatest(t.last_received_at, last),
        series_count = t.series_count + (series.instance_count = 0)::integer,
        modalities = CASE WHEN series.modality = '' OR series.modality = ANY (t.modalities)
            THEN t.modalities ELSE ARRAY(SELECT m FROM unnest(t.modalities || series.modality) m ORDER BY m) END,
        sop_classes = CASE WHEN sop_class = ANY (t.sop_classes)
            THEN t.sop_classes ELSE ARRAY(SELECT c FROM unnest(t.sop_classes || sop_class) c ORDER BY c) END
    WHERE t.id = series.study_id;
END
$$
"""

STORE_OBJECTS = """
-- Index the objects of a group, each with its change; gives each object's number and what became of it:
-- 'stored', also by an earlier call whose answer was lost; 'duplicate': it is there with the same bytes; 'stale': its series
-- is not there, or its study is not the one that the judge has seen; 'again': its SOP Instance UID is known, or its study or
-- series is deleted or was just moved, or it was received before them, which is looked at one by one.
-- Statements so simple that each is one look into an index, planned once: a group is small, and most have one object.
CREATE FUNCTION core.store_objects(objects jsonb, headers bytea[], frame_tables bytea[], audits jsonb)
RETURNS TABLE (n integer, outcome text) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    o record;
    series core.series;
    study core.study;
    received core.study;
    made text;
    new_studies text[] := '{}';
    counted integer := 0;
    bytes bigint := 0;
    last timestamptz;
    sop_class text;
BEGIN
    FOR o IN
        SELECT r.* FROM jsonb_to_recordset(objects) AS r(
            n integer, study_uid text, series_uid text, seen text, study_row jsonb, series_row jsonb,
            sop_instance_uid text, sop_class_uid text, transfer_syntax_uid text, instance_number text, "rows" integer,
            "columns" integer, bits_allocated smallint, number_of_frames integer, content_date text, content_time text,
            volume_id smallint, path text, size_bytes bigint, dataset_offset integer, meta_digest text,
            dataset_digest text, pixel_data_offset bigint, unparsed boolean, arrival_id uuid, received_at timestamptz,
            origin jsonb, overlay jsonb, change jsonb
        )
        ORDER BY r.study_uid COLLATE "C", r.series_uid COLLATE "C", r.sop_class_uid COLLATE "C", r.received_at, r.n
    LOOP
        n := o.n;
        SELECT CASE
            WHEN bool_or(i.arrival_id = o.arrival_id) THEN 'stored'
            WHEN bool_or(i.deleted_by IS NULL AND i.dataset_digest = decode(o.dataset_digest, 'hex')
                AND i.transfer_syntax_uid = o.transfer_syntax_uid) THEN 'duplicate'
            WHEN count(*) > 0 THEN 'again'
        END INTO outcome FROM core.instance i WHERE i.sop_instance_uid = o.sop_instance_uid;
        IF outcome IS NOT NULL THEN
            RETURN NEXT;
            CONTINUE;
        END IF;
        made := CASE WHEN o.series_row IS NOT NULL THEN core.open_series(o.study_row, o.series_row, o.seen) END;
        IF made = 'study' THEN
            new_studies := new_studies || o.study_uid;
        END IF;
        IF series.series_uid IS DISTINCT FROM o.series_uid OR series.received_study_uid <> o.study_uid
            OR sop_class <> o.sop_class_uid
        THEN
            IF counted > 0 THEN
                PERFORM core.count_objects(series, counted, bytes, last, sop_class);
                counted := 0;
                bytes := 0;
                last := NULL;
            END IF;
            SELECT t.* INTO study FROM core.series s JOIN core.study t ON t.id = s.study_id
            WHERE s.received_study_uid = o.study_uid AND s.series_uid = o.series_uid FOR NO KEY UPDATE OF t;
            -- Read behind the lock: an edit that held it may have deleted or moved the series.
            SELECT * INTO series FROM core.series s WHERE s.received_study_uid = o.study_uid AND s.series_uid = o.series_uid;
            received := study;
            IF study.study_uid <> o.study_uid THEN
                SELECT * INTO received FROM core.study t WHERE t.study_uid = o.study_uid;
            END IF;
            sop_class := o.sop_class_uid;
        END IF;
        IF series.id IS NULL OR core.identity_of(received) IS DISTINCT FROM o.seen
            AND NOT (o.seen IS NULL AND o.study_uid = ANY (new_studies))
        THEN
            outcome := 'stale';
        ELSIF series.study_id IS DISTINCT FROM study.id OR series.deleted_by IS NOT NULL OR study.deleted_by IS NOT NULL
            OR o.received_at < series.first_received_at OR o.received_at < study.first_received_at
        THEN
            outcome := 'again';
        ELSE
            INSERT INTO core.instance (
                series_id, sop_instance_uid, sop_class_uid, transfer_syntax_uid, instance_number, "rows", "columns",
                bits_allocated, number_of_frames, content_date, content_time, volume_id, path, size_bytes,
                dataset_offset, meta_digest, dataset_digest, header, pixel_data_offset, frame_offsets, unparsed,
                arrival_id, received_at, origin, overlay
            ) VALUES (
                series.id, o.sop_instance_uid, o.sop_class_uid, o.transfer_syntax_uid, o.instance_number, o."rows",
                o."columns", o.bits_allocated, o.number_of_frames, o.content_date, o.content_time, o.volume_id, o.path,
                o.size_bytes, o.dataset_offset, decode(o.meta_digest, 'hex'), decode(o.dataset_digest, 'hex'),
                headers[o.n + 1], o.pixel_data_offset, frame_tables[o.n + 1], o.unparsed, o.arrival_id, o.received_at,
                o.origin, o.overlay
            ) ON CONFLICT (sop_instance_uid, version) DO NOTHING;
            outcome := CASE WHEN FOUND THEN 'stored' ELSE 'again' END;
        END IF;
        IF outcome = 'stored' THEN
            INSERT INTO core.change (kind, payload)
            VALUES ('object', o.change || jsonb_build_object('study_uid', study.study_uid));
            counted := counted + 1;
            bytes := bytes + o.size_bytes;
            last := greatest(last, o.received_at);
        ELSIF made IN ('study', 'series') THEN
            -- Nothing has come into them, and it is not certain that anything will.
            DELETE FROM core.series s WHERE s.id = series.id;
            DELETE FROM core.study t WHERE made = 'study' AND t.id = study.id;
            series := NULL;
        END IF;
        RETURN NEXT;
    END LOOP;
    IF counted > 0 THEN
        PERFORM core.count_objects(series, counted, bytes, last, sop_class);
    END IF;
    IF audits IS NOT NULL THEN
        INSERT INTO core.audit (at, event, action, succeeded, who, origin, study_uids, detail)
        SELECT a.at, a.event, a.action, a.succeeded, a.who, a.origin, a.study_uids, a.detail
        FROM jsonb_populate_recordset(NULL::core.audit, audits) a;
    END IF;
END
$$
"""


def upgrade() -> None:
    """Make the functions."""
    for statement in (IDENTITY, OPEN_SERIES, COUNT_OBJECTS, STORE_OBJECTS):
        op.execute(statement)


def downgrade() -> None:
    """Drop the functions."""
    op.execute("DROP FUNCTION core.store_objects, core.count_objects, core.open_series, core.identity_of")
