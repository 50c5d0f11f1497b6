# Every tests/*.c and *.cpp is a program and a test; unit_* see the library's internals,
# helper_* are programs that tests use, header.* are only compiled.
find_package(PkgConfig REQUIRED)
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)

# Under an emulator, which has a thread of its own, tests start their children with it, and leave
# out what it cannot do.
set(environment)
if(CMAKE_CROSSCOMPILING_EMULATOR)
	list(JOIN CMAKE_CROSSCOMPILING_EMULATOR " " emulator)
	set(environment GORO_TEST_EMULATED=1 GORO_DEBUG=strangers=1 "GORO_TEST_RUNNER=${emulator}" "GORO_EMULATOR=${emulator}")
endif()
set(greedy million limits threads hog) # they want all memory, all threads or both CPUs to themselves

function(goro_test name command)
	foreach(procs ${GORO_TEST_PROCS})
		add_test(NAME ${name}.p${procs} COMMAND ${command} ${ARGN})
		set_tests_properties(${name}.p${procs} PROPERTIES TIMEOUT 300
			ENVIRONMENT "GORO_PROCS=${procs};${environment}")
		if(name IN_LIST greedy)
			set_tests_properties(${name}.p${procs} PROPERTIES RUN_SERIAL ON)
		endif()
	endforeach()
endfunction()

file(GLOB programs CONFIGURE_DEPENDS tests/*.c)
foreach(p ${programs})
	get_filename_component(name ${p} NAME_WE)
	if(name MATCHES "^header")
		add_library(tests_${name} OBJECT ${p})
		target_link_libraries(tests_${name} PRIVATE goro)
		target_compile_options(tests_${name} PRIVATE ${warnings})
	elseif(name STREQUAL "million" AND CMAKE_CROSSCOMPILING)
		# What is in memory is the emulator's business.
	elseif(name MATCHES "^(unit_.*|million)$" AND GORO_SANITIZE MATCHES "thread")
		# The runtime's own locks mean nothing to TSan, nor do a few thousand goroutines to memory.
	elseif(name MATCHES "^unit_")
		add_executable(tests_${name} ${p} $<TARGET_OBJECTS:goro_objects>)
		set_target_properties(tests_${name} PROPERTIES OUTPUT_NAME ${name}
			RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/tests)
		target_compile_definitions(tests_${name} PRIVATE $<TARGET_PROPERTY:goro_objects,COMPILE_DEFINITIONS>)
		target_include_directories(tests_${name} PRIVATE include)
		target_compile_options(tests_${name} PRIVATE ${warnings} ${sanitize})
		target_link_options(tests_${name} PRIVATE ${sanitize})
		target_link_libraries(tests_${name} PRIVATE PkgConfig::CMOCKA Threads::Threads)
		add_test(NAME ${name} COMMAND tests_${name})
		# LeakSanitizer looks at each stack in each mapping, of which unit_stack has thousands.
		set_tests_properties(${name} PROPERTIES TIMEOUT 300
			ENVIRONMENT "${environment};$<$<STREQUAL:${name},unit_stack>:ASAN_OPTIONS=detect_leaks=0>")
	else()
		goro_program(tests ${p} PkgConfig::CMOCKA m)
		if(NOT name MATCHES "^helper_")
			goro_test(${name} tests_${name})
		endif()
	endif()
endforeach()

if(CMAKE_CXX_COMPILER)
	file(GLOB programs CONFIGURE_DEPENDS tests/*.cpp)
	foreach(p ${programs})
		get_filename_component(name ${p} NAME_WE)
		if(name MATCHES "^header")
			add_library(tests_${name}_cxx OBJECT ${p})
			target_link_libraries(tests_${name}_cxx PRIVATE goro)
		else()
			goro_program(tests ${p})
			goro_test(${name} tests_${name})
		endif()
	endforeach()
endif()

set(here ${CMAKE_CURRENT_SOURCE_DIR})
if(GORO_EXAMPLES)
	add_test(NAME examples COMMAND sh ${here}/tests/examples.sh ${CMAKE_CURRENT_BINARY_DIR}/examples
		${CMAKE_CURRENT_BINARY_DIR}/tests)
	add_test(NAME patterns COMMAND sh ${here}/tests/patterns.sh ${CMAKE_CURRENT_BINARY_DIR}/examples)
	set_tests_properties(examples patterns PROPERTIES TIMEOUT 600 ENVIRONMENT "${environment}")
endif()

# What is not about running programs need not be tested in every instrumented build.
if(NOT GORO_SANITIZE AND NOT CMAKE_CROSSCOMPILING)
	set(tools ${CMAKE_COMMAND} -E env CC=${CMAKE_C_COMPILER} CXX=$<IF:$<BOOL:${CMAKE_CXX_COMPILER}>,${CMAKE_CXX_COMPILER},none>
		NM=${CMAKE_NM} READELF=${CMAKE_READELF})
	add_test(NAME reject COMMAND ${tools} sh ${here}/tests/reject.sh)
	add_test(NAME layers COMMAND sh ${here}/tests/layers.sh ${here})
	add_test(NAME orders COMMAND sh ${here}/tests/orders.sh ${here})
	add_test(NAME conformance COMMAND sh ${here}/tests/conformance.sh ${here})
	add_test(NAME symbols COMMAND ${tools} sh ${here}/tests/symbols.sh $<TARGET_FILE:goro>
		$<TARGET_FILE:goro_static> ${here}/include/goro.h)
	add_test(NAME install COMMAND ${tools} sh ${here}/tests/install.sh ${here})
	set_tests_properties(reject layers orders conformance symbols install PROPERTIES TIMEOUT 600)
endif()
