"""Opens a file with EDFlib, the library of EDFbrowser's author (Debian package libedf1), and prints what it finds as JSON.

EDFlib refuses whatever is not exactly by the rules of EDF+ and BDF+. Exit code 1 with its number when it does.
"""
import ctypes
import hashlib
import json
import sys
from ctypes import c_char, c_double, c_int, c_longlong

READ_ALL_ANNOTATIONS = 2
MAX_SIGNALS = 640


class Param(ctypes.Structure):
    _fields_ = [
        ('label', c_char * 17), ('samples_in_file', c_longlong), ('physical_max', c_double), ('physical_min', c_double),
        ('digital_max', c_int), ('digital_min', c_int), ('samples_in_record', c_int), ('unit', c_char * 9),
        ('prefilter', c_char * 81), ('transducer', c_char * 81),
    ]


class Header(ctypes.Structure):
    _fields_ = [
        ('handle', c_int), ('filetype', c_int), ('signals', c_int), ('file_duration', c_longlong),
        ('day', c_int), ('month', c_int), ('year', c_int), ('subsecond', c_longlong),
        ('second', c_int), ('minute', c_int), ('hour', c_int),
        ('patient', c_char * 81), ('recording', c_char * 81), ('patientcode', c_char * 81), ('gender', c_char * 16),
        ('birthdate', c_char * 16), ('birth_day', c_int), ('birth_month', c_int), ('birth_year', c_int),
        ('patient_name', c_char * 81), ('patient_additional', c_char * 81), ('admincode', c_char * 81),
        ('technician', c_char * 81), ('equipment', c_char * 81), ('recording_additional', c_char * 81),
        ('record_duration', c_longlong), ('records', c_longlong), ('annotations', c_longlong), ('params', Param * MAX_SIGNALS),
    ]


class Annotation(ctypes.Structure):
    _fields_ = [('onset', c_longlong), ('duration_l', c_longlong), ('duration', c_char * 16), ('text', c_char * 513)]


def main(path):
    library = ctypes.CDLL('libedf.so.1')
    header = Header()
    if library.edfopen_file_readonly(path.encode(), ctypes.byref(header), READ_ALL_ANNOTATIONS) != 0:
        print(f'EDFlib refuses {path}: {header.filetype}', file=sys.stderr)
        return 1
    signals = []
    for index in range(header.signals):
        param = header.params[index]
        samples = (c_int * param.samples_in_file)()
        if library.edfread_digital_samples(header.handle, index, param.samples_in_file, samples) != param.samples_in_file:
            print(f'EDFlib reads no samples of signal {index}', file=sys.stderr)
            return 1
        signals.append({
            'label': param.label.decode().strip(), 'unit': param.unit.decode().strip(),
            'digitalMin': param.digital_min, 'digitalMax': param.digital_max,
            'physicalMin': param.physical_min, 'physicalMax': param.physical_max,
            'samples': param.samples_in_file, 'sha256': hashlib.sha256(bytes(samples)).hexdigest(),
        })
    annotations = []
    for index in range(header.annotations):
        one = Annotation()
        library.edf_get_annotation(header.handle, index, ctypes.byref(one))
        # In units of 100 ns; EDFlib counts them from the first record, the file from its header's whole second.
        annotations.append([one.onset, one.duration.decode() or None, one.text.decode('utf-8')])
    library.edfclose_file(header.handle)
    start = [header.year, header.month, header.day, header.hour, header.minute, header.second, header.subsecond]
    print(json.dumps({'filetype': header.filetype, 'start': start, 'signals': signals, 'annotations': annotations}))
    return 0


sys.exit(main(sys.argv[1]))
